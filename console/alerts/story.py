"""Read one alert whole: its revisions, its receipts, its deliveries with each attempt."""

from typing import Any

from console.connections import Database
from console.outbox import HELD
from console.paging import parse_uuid
from schemas.alert.alert import Alert
from schemas.alert.presented import present_alert


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
SELECT_DELIVERIES = f"""
    SELECT o.id, s.name AS subscription, o.subscription_id, v.type AS event, v.revision, o.state, o.attempts, o.due_at,
           o.created_at, o.ended_at, {HELD} AS held
    FROM outbox o JOIN events v ON v.id = o.event_id JOIN subscriptions s ON s.id = o.subscription_id
    WHERE o.alert_id = %(id)s ORDER BY o.position
"""  # noqa: S608 - of constants
SELECT_ATTEMPTS = """
    SELECT a.outbox_id, a.number, a.attempted_at, a.status, a.milliseconds, a.error, a.next_at
    FROM attempts a JOIN outbox o ON o.id = a.outbox_id
    WHERE o.alert_id = %(id)s ORDER BY a.number, a.attempted_at
"""
