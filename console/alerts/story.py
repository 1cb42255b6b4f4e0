"""Read one alert whole: its revisions, its receipts, its deliveries with each attempt.

A sender that repeats itself, or a body that is pushed again and again, gives an alert tens of thousands of receipts: of
each list the first and the latest are read, and how many there are between them.
"""

from typing import Any

from psycopg import sql

from console.connections import Database
from console.outbox import HELD
from console.paging import parse_uuid
from schemas.alert.alert import Alert
from schemas.alert.presented import present_alert

FIRST = 20
LATEST = 180
LATEST_ATTEMPTS = 50  # of one delivery: its schedule has fewer, retries by hand add more


def find_alerts(database: Database, name: str) -> list[str]:
    """Return the ids of the alerts called `name`: our id, or the network's (which two networks may share)."""
    rows = database.execute(
        "SELECT id::text FROM alerts WHERE provider_alert_id = %(name)s OR id = %(id)s ORDER BY position",
        {"name": name.replace("\0", ""), "id": parse_uuid(name)},
    )
    return [row["id"] for row in rows]


def read_alert(database: Database, alert_id: str) -> dict[str, Any] | None:
    """Return one alert with its revisions, its receipts (what each push of it ended as) and its deliveries, or None.

    `left_out` says of each of these lists how many are left out between the first FIRST and the latest LATEST.
    """
    own = {"id": parse_uuid(alert_id)}
    row = database.execute("SELECT * FROM alerts WHERE id = %(id)s", own).fetchone()
    if row is None:
        return None
    found: dict[str, Any] = {"left_out": {}}
    for name, statement in (
        ("revisions", SELECT_REVISIONS), ("receipts", SELECT_RECEIPTS), ("deliveries", SELECT_DELIVERIES),
    ):  # fmt: skip
        rows = database.execute(statement, own).fetchall()
        found["left_out"][name] = rows[0]["whole"] - len(rows) if rows else 0
        found[name] = [{field: value for field, value in one.items() if field not in PLACE} for one in rows]
    add_attempts(database, found["deliveries"])
    return present_alert(Alert.from_row(row)) | found


def add_attempts(database: Database, deliveries: list[dict[str, Any]]) -> None:
    """Give each delivery the log of its latest attempts."""
    logs: dict[Any, list[dict[str, Any]]] = {delivery["id"]: [] for delivery in deliveries}
    for attempt in database.execute(SELECT_ATTEMPTS, [list(logs)]):
        logs[attempt.pop("outbox_id")].append(attempt)
    for delivery in deliveries:
        delivery["log"] = logs[delivery["id"]]


PLACE = ("place", "whole")
ENDS = sql.SQL("(place <= {first} OR place > whole - {latest})").format(first=FIRST, latest=LATEST)
SELECT_REVISIONS = sql.SQL("""
    WITH own AS (
        SELECT r.*, row_number() OVER (ORDER BY revision, changed_at) AS place, count(*) OVER () AS whole
        FROM revisions r WHERE alert_id = %(id)s
    )
    SELECT revision, changed_at, source, replace(request_id::text, '-', '') AS request_id, changes, place, whole
    FROM own WHERE {ends} ORDER BY place
""").format(ends=ENDS)
SELECT_RECEIPTS = sql.SQL("""
    WITH own AS (
        SELECT e.*, row_number() OVER (ORDER BY entered_at, sequence, item) AS place, count(*) OVER () AS whole
        FROM endings e WHERE alert_id = %(id)s
    )
    SELECT (extract(epoch FROM o.entered_at) * 1000)::bigint || '-' || o.sequence AS entry_id, o.incarnation, o.item,
           o.ending, r.source, replace(r.request_id::text, '-', '') AS request_id, r.received_at, r.settled_at,
           o.place, o.whole
    FROM own o JOIN receipts r USING (entered_at, sequence, incarnation) WHERE {ends} ORDER BY o.place
""").format(ends=ENDS)
SELECT_DELIVERIES = sql.SQL("""
    WITH own AS (
        SELECT x.*, row_number() OVER (ORDER BY position) AS place, count(*) OVER () AS whole
        FROM outbox x WHERE alert_id = %(id)s
    )
    SELECT o.id, s.name AS subscription, o.subscription_id, v.type AS event, v.revision, o.state, o.attempts, o.due_at,
           o.created_at, o.ended_at, {held} AS held, o.place, o.whole
    FROM own o JOIN events v ON v.id = o.event_id JOIN subscriptions s ON s.id = o.subscription_id
    WHERE {ends} ORDER BY o.place
""").format(held=sql.SQL(HELD), ends=ENDS)
SELECT_ATTEMPTS = sql.SQL("""
    SELECT a.outbox_id, a.number, a.attempted_at, a.status, a.milliseconds, a.error, a.next_at
    FROM unnest(%s::uuid[]) AS one (id) CROSS JOIN LATERAL (
        SELECT * FROM attempts WHERE outbox_id = one.id ORDER BY number DESC, attempted_at DESC LIMIT {most}
    ) a
    ORDER BY a.number, a.attempted_at
""").format(most=LATEST_ATTEMPTS)
