"""Waiting: the alerts whose remote enrichers have yet to be asked, leased so that nobody else asks meanwhile."""

from dataclasses import dataclass
from uuid import uuid4

from psycopg import sql

from schemas.alert.alert import Alert
from workers.database.connections import Database
from workers.intake.claims import ALERT_COLUMNS


@dataclass(frozen=True, slots=True)
class Waiting:
    """An alert leased to one worker.

    attempts    how often it has been asked about, the time about to come included
    left        seconds until giving up
    request_id  of the push that last had something told of the alert, None when that is no longer known
    """

    alert: Alert
    lease: str
    attempts: int
    left: float
    request_id: str | None


def lease_waiting(database: Database, limit: int, seconds: float) -> list[Waiting]:
    """Lease up to `limit` alerts that may still be enriched for `seconds`, those with the least time left first."""
    lease = str(uuid4())
    rows = database.execute(LEASE, {"limit": limit, "seconds": seconds, "lease": lease}).fetchall()
    return [
        Waiting(Alert.from_row(row), lease, row["attempts"], float(row["seconds_left"]), row["request_id"])
        for row in rows
    ]


def postpone(database: Database, waiting: Waiting, seconds: float) -> None:
    """Have the alert's enrichers asked again in so many seconds."""
    database.execute(POSTPONE, {"alert_id": waiting.alert.id, "lease": waiting.lease, "seconds": seconds})


def seconds_until_waiting(database: Database) -> float | None:
    """Return the seconds until the next alert is due to be enriched, None when there is none."""
    row = database.execute("SELECT extract(epoch FROM min(due_at) - now()) AS seconds FROM enrichments").fetchone()
    return None if row is None or row["seconds"] is None else float(row["seconds"])


# Read by an index that begins with the first that may still be enriched: none that is too late is stepped over.
LEASE = sql.SQL(
    """WITH due AS (
           SELECT alert_id FROM enrichments WHERE give_up_at > now() AND due_at <= now()
           ORDER BY give_up_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
       ), leased AS (
           UPDATE enrichments e
           SET due_at = now() + make_interval(secs => %(seconds)s), lease = %(lease)s, attempts = e.attempts + 1
           FROM due WHERE e.alert_id = due.alert_id
           RETURNING e.alert_id, e.attempts, extract(epoch FROM e.give_up_at - now()) AS seconds_left
       )
       SELECT leased.attempts, leased.seconds_left, {names}, (
           SELECT e.alert->'origin'->>'request_id' FROM events e
           WHERE e.alert_id = leased.alert_id AND e.alert->'origin' ? 'request_id' ORDER BY e.position DESC LIMIT 1
       ) AS request_id
       FROM leased JOIN alerts a ON a.id = leased.alert_id ORDER BY leased.seconds_left"""
).format(names=sql.SQL(", ").join(sql.Identifier("a", name) for name in ALERT_COLUMNS))
POSTPONE = """
    UPDATE enrichments SET due_at = now() + make_interval(secs => %(seconds)s), lease = NULL
    WHERE alert_id = %(alert_id)s AND lease = %(lease)s
"""
