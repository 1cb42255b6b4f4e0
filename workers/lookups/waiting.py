"""Waiting: the alerts whose remote enrichers have yet to be asked, and what the database learns when they have been.

Whatever is written here is written under the lock of the alert's identity, which a drain holds while it changes the
alert: neither overwrites what the other has added.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson
from psycopg import sql

from schemas.alert.alert import Alert
from workers.database.connections import Database
from workers.intake.announce import CHANNEL as DUE_CHANNEL
from workers.intake.claims import ALERT_COLUMNS


@dataclass(frozen=True, slots=True)
class Waiting:
    """An alert leased to one worker.

    attempts    how often it has been asked about, the time about to come included
    left        seconds until giving up; 0 or less when it is too late to ask
    request_id  of the push that last had something told of the alert, None when that is no longer known
    """

    alert: Alert
    lease: str
    attempts: int
    left: float
    request_id: str | None


def lease_waiting(database: Database, limit: int, seconds: float) -> list[Waiting]:
    """Lease up to `limit` alerts that may still be enriched for `seconds`, those that have waited longest first."""
    return lease_by(database, LEASE_IN_TIME, {"limit": limit, "seconds": seconds})


def lease_late(database: Database, limit: int, seconds: float, late: float) -> list[Waiting]:
    """Lease up to `limit` alerts that should have been given up `late` seconds ago or before."""
    return lease_by(database, LEASE_LATE, {"limit": limit, "seconds": seconds, "late": late})


def lease_by(database: Database, statement: sql.Composed, terms: Mapping[str, float]) -> list[Waiting]:
    """Lease alerts by one of the statements below."""
    lease = str(uuid4())
    rows = database.execute(statement, {**terms, "lease": lease}).fetchall()
    return [
        Waiting(Alert.from_row(row), lease, row["attempts"], float(row["seconds_left"]), row["request_id"])
        for row in rows
    ]


def postpone(database: Database, waiting: Waiting, seconds: float) -> None:
    """Have the alert's enrichers asked again in so many seconds."""
    database.execute(POSTPONE, {"alert_id": waiting.alert.id, "lease": waiting.lease, "seconds": seconds})


def finish(database: Database, waiting: Waiting, results: Mapping[str, dict[str, Any]], failed: Sequence[str]) -> bool:
    """Put what was added into the alert and into what is held of it, and let that go. Return False when it has changed.

    Then it has been asked for anew, and whoever leases it next asks about the alert as it is now.
    """
    own = {"alert_id": waiting.alert.id, "lease": waiting.lease}
    with database.transaction():
        database.execute(
            "SELECT FROM identities WHERE network = %s AND provider_alert_id = %s FOR UPDATE",
            [waiting.alert.network, waiting.alert.provider_alert_id],
        )
        if database.execute(END, own).fetchone() is None:
            return False
        for select, update in ((SELECT_ALERT, UPDATE_ALERTS), (SELECT_EVENTS, UPDATE_EVENTS)):
            rows = [
                {"id": str(row["id"]), "enrichment": settle_enrichment(row["enrichment"], results, failed)}
                for row in database.execute(select, own)
            ]
            database.execute(update, [orjson.dumps(rows).decode()])
        if database.execute(RELEASE, own).rowcount:
            database.execute("SELECT pg_notify(%s, '')", [DUE_CHANNEL])
    return True


def settle_enrichment(
    enrichment: Mapping[str, Any], results: Mapping[str, dict[str, Any]], failed: Iterable[str]
) -> dict[str, Any]:
    """Return `enrichment` with what the remote enrichers have added, and with the names of those that have not."""
    missing = [*enrichment.get("failed", ()), *failed]
    settled = {key: value for key, value in enrichment.items() if key not in {"pending", "failed", *results}}
    settled |= {name: additions for name, additions in results.items() if additions}
    return settled | ({"failed": list(dict.fromkeys(missing))} if missing else {})


def seconds_until_waiting(database: Database) -> float | None:
    """Return the seconds until the next alert is due to be enriched, None when there is none."""
    row = database.execute("SELECT extract(epoch FROM min(due_at) - now()) AS seconds FROM enrichments").fetchone()
    return None if row is None or row["seconds"] is None else float(row["seconds"])


# Read by the index of `due_at`, of which those that are too late are the beginning. To sort them behind the others
# would read all of them, and write them to the disk, for each lease.
LEASE = sql.SQL(
    """WITH due AS (
           SELECT alert_id FROM enrichments WHERE due_at <= now() AND {which} ORDER BY due_at LIMIT %(limit)s
           FOR UPDATE SKIP LOCKED
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
)
NAMES = sql.SQL(", ").join(sql.Identifier("a", name) for name in ALERT_COLUMNS)
LEASE_IN_TIME = LEASE.format(names=NAMES, which=sql.SQL("give_up_at > now()"))
LEASE_LATE = LEASE.format(names=NAMES, which=sql.SQL("give_up_at <= now() - make_interval(secs => %(late)s)"))
POSTPONE = """
    UPDATE enrichments SET due_at = now() + make_interval(secs => %(seconds)s), lease = NULL
    WHERE alert_id = %(alert_id)s AND lease = %(lease)s
"""
END = "DELETE FROM enrichments WHERE alert_id = %(alert_id)s AND lease = %(lease)s RETURNING alert_id"
SELECT_ALERT = "SELECT id, enrichment FROM alerts WHERE id = %(alert_id)s FOR NO KEY UPDATE"
UPDATE_ALERTS = """
    UPDATE alerts a SET enrichment = r.enrichment, changed_at = now()
    FROM json_to_recordset(%s::json) AS r (id uuid, enrichment jsonb) WHERE a.id = r.id
"""
SELECT_EVENTS = """
    SELECT id, alert->'enrichment' AS enrichment FROM events
    WHERE alert_id = %(alert_id)s AND alert->'enrichment' ? 'pending' FOR NO KEY UPDATE
"""
UPDATE_EVENTS = """
    UPDATE events e SET alert = jsonb_set(e.alert, '{enrichment}', r.enrichment)
    FROM json_to_recordset(%s::json) AS r (id uuid, enrichment jsonb) WHERE e.id = r.id
"""
RELEASE = """
    UPDATE outbox SET held = false, due_at = now()
    WHERE alert_id = %(alert_id)s AND held AND state = 'due' AND lease IS NULL AND attempts = 0
"""
