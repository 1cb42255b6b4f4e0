"""Read alerts: lists that can be walked while drains write, and everything that is known of one.

Two orders. "oldest" lists alerts as they were stored, up to the horizon below which nothing can appear any more (see
deploy/postgres/0004.positions.sql): a reader who walks it, and comes back with `resume_cursor`, gets each alert exactly
once. "newest" is for people: it begins with the latest, and what is stored meanwhile is simply not in it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg import sql

from console.connections import Database
from console.cursor import check_place, read_cursor, write_cursor
from schemas.alert import Alert
from schemas.presented import present_alert

MAX_LIMIT = 500
LAST_POSITION = 2**63 - 1

Order = Literal["oldest", "newest"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts are asked for. `received_after` is included, `received_before` is not, so windows fit together."""

    provider: str | None = None
    provider_alert_id: str | None = None
    kind: str | None = None
    status: str | None = None
    merchant_id: str | None = None
    received_after: datetime | None = None
    received_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list. `next_cursor` is None at its end; `resume_cursor` is where to look later for what is new."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    next_cursor: str | None = None
    resume_cursor: str | None = None


def list_alerts(
    database: Database, wanted: Wanted, limit: int = 100, cursor: str | None = None, order: Order = "oldest"
) -> Page:
    """Return a page of alerts as the API presents them. Raises BadCursor, also for a place that is still to come.

    A look-up by `provider_alert_id` is not held back by the horizon: it finds what is stored, at once.
    """
    kind = f"alerts {order}"
    start = 0 if order == "oldest" else LAST_POSITION
    (place,) = read_cursor(kind, cursor, int) if cursor else (start,)
    horizon = LAST_POSITION
    if order == "oldest" and wanted.provider_alert_id is None:
        horizon, last = read_horizon(database)  # a statement of its own, before the one that reads the rows
        check_place(kind, place, last)
    statement = SELECT_OLDEST if order == "oldest" else SELECT_NEWEST
    conditions, values = filter_alerts(wanted)
    rows = database.execute(
        statement.format(conditions=conditions), values | {"place": place, "horizon": horizon, "limit": limit + 1}
    ).fetchall()
    more, rows = len(rows) > limit, rows[:limit]
    presented = [present_alert(Alert.from_row(row)) for row in rows]
    reached = rows[-1]["position"] if rows else place
    following = write_cursor(kind, reached) if more else None
    if horizon == LAST_POSITION:
        return Page(presented, following)
    return Page(presented, following, write_cursor(kind, reached if more else max(horizon, reached)))


def read_horizon(database: Database) -> tuple[int, int]:
    """Return the position up to which no alert can appear any more, and the last one drawn.

    Not beyond the last alert that is there: a number that was drawn and not used may come again after a crash.
    """
    row = database.execute(SELECT_HORIZON).fetchone()
    return (int(row["horizon"]), int(row["last"])) if row else (0, 0)


def filter_alerts(wanted: Wanted) -> tuple[sql.Composable, dict[str, Any]]:
    """Return the condition that selects the wanted alerts, and its values."""
    clauses: list[sql.Composable] = [sql.SQL("true")]
    values: dict[str, Any] = {}
    for name, clause in CLAUSES.items():
        value = getattr(wanted, name)
        if value is not None:
            clauses.append(clause)
            values[name] = value
    return sql.SQL(" AND ").join(clauses), values


def find_alerts(database: Database, name: str) -> list[str]:
    """Return the ids of the alerts called `name`: our id, or the network's (which two networks may share)."""
    rows = database.execute(
        "SELECT id::text FROM alerts WHERE provider_alert_id = %(name)s OR id = %(id)s ORDER BY position",
        {"name": name.replace("\0", ""), "id": parse_uuid(name)},
    )
    return [row["id"] for row in rows]


def read_alert(database: Database, alert_id: str) -> dict[str, Any] | None:
    """Return one alert with its revisions, its receipts (what each push of it ended as) and its deliveries, or None."""
    own = {"id": parse_uuid(alert_id)}
    row = database.execute("SELECT * FROM alerts WHERE id = %(id)s", own).fetchone()
    if row is None:
        return None
    deliveries = database.execute(SELECT_DELIVERIES, own).fetchall()
    attempts = database.execute(SELECT_ATTEMPTS, own).fetchall()
    for delivery in deliveries:
        delivery["log"] = [
            {name: value for name, value in attempt.items() if name != "outbox_id"}
            for attempt in attempts
            if attempt["outbox_id"] == delivery["id"]
        ]
    return present_alert(Alert.from_row(row)) | {
        "revisions": database.execute(SELECT_REVISIONS, own).fetchall(),
        "receipts": database.execute(SELECT_RECEIPTS, own).fetchall(),
        "deliveries": deliveries,
    }


def parse_uuid(text: str) -> UUID | None:
    """Return the UUID that the text is, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None


CLAUSES: dict[str, sql.SQL] = {
    "provider": sql.SQL("network = lower(%(provider)s)"),
    "provider_alert_id": sql.SQL("provider_alert_id = %(provider_alert_id)s"),
    "kind": sql.SQL("kind = lower(%(kind)s)"),
    "status": sql.SQL("status = lower(%(status)s)"),
    "merchant_id": sql.SQL("merchant_id = %(merchant_id)s"),
    "received_after": sql.SQL("received_at >= %(received_after)s"),
    "received_before": sql.SQL("received_at < %(received_before)s"),
}

SELECT_HORIZON = """
    SELECT least(alerts_horizon(), (SELECT coalesce(max(position), 0) FROM alerts)) AS horizon, last_position() AS last
"""
SELECT_OLDEST = sql.SQL(
    "SELECT * FROM alerts WHERE position > %(place)s AND position <= %(horizon)s AND {conditions}"
    " ORDER BY position LIMIT %(limit)s"
)
SELECT_NEWEST = sql.SQL(
    "SELECT * FROM alerts WHERE position < %(place)s AND position <= %(horizon)s AND {conditions}"
    " ORDER BY position DESC LIMIT %(limit)s"
)
SELECT_REVISIONS = """
    SELECT revision, changed_at, source, replace(request_id::text, '-', '') AS request_id, changes
    FROM revisions
    WHERE alert_id = %(id)s ORDER BY revision, changed_at
"""
SELECT_RECEIPTS = """
    SELECT (extract(epoch FROM e.entered_at) * 1000)::bigint || '-' || e.sequence AS entry_id, e.incarnation, e.item,
           e.ending, r.source, replace(r.request_id::text, '-', '') AS request_id, r.received_at, r.settled_at
    FROM endings e JOIN receipts r USING (entered_at, sequence, incarnation)
    WHERE e.alert_id = %(id)s ORDER BY e.entered_at, e.sequence, e.item
"""
SELECT_DELIVERIES = """
    SELECT o.id, s.name AS subscription, o.subscription_id, v.type AS event, v.revision, o.state, o.attempts, o.due_at,
           o.created_at, o.ended_at
    FROM outbox o JOIN events v ON v.id = o.event_id JOIN subscriptions s ON s.id = o.subscription_id
    WHERE o.alert_id = %(id)s ORDER BY o.position
"""
SELECT_ATTEMPTS = """
    SELECT a.outbox_id, a.number, a.attempted_at, a.status, a.milliseconds, a.error, a.next_at
    FROM attempts a JOIN outbox o ON o.id = a.outbox_id
    WHERE o.alert_id = %(id)s ORDER BY a.number, a.attempted_at
"""
