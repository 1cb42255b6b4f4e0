"""Read deliveries (outbox items and their attempts), and make one due again."""

from typing import Any

from console.alerts import Page, parse_uuid
from console.connections import Database
from console.cursor import BadCursor, read_cursor, write_cursor
from console.unreachable import Refused

STATES = ("due", "delivered", "given_up")
CHANNEL = "alert_intake_due"  # what the forwarders listen to


def list_deliveries(
    database: Database,
    state: str | None = None,
    subscription: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page:
    """Return a page of deliveries, the latest first (their ids are UUIDv7). Raises BadCursor."""
    last_id = None
    if cursor:
        (last_id,) = read_cursor("deliveries", cursor, str)
        if parse_uuid(last_id) is None:
            raise BadCursor("cursor: not a cursor of deliveries")
    rows = database.execute(
        SELECT_DELIVERIES, {"state": state, "subscription": subscription, "last_id": last_id, "limit": limit + 1}
    ).fetchall()
    more, rows = len(rows) > limit, rows[:limit]
    return Page(rows, write_cursor("deliveries", str(rows[-1]["id"])) if more else None)


def retry_delivery(database: Database, delivery_id: str) -> dict[str, Any]:
    """Make a delivery due now, be it given up or waiting for its next attempt. Raises Refused.

    It keeps its count of attempts: one that was given up and fails again is given up again.
    """
    row = database.execute(
        "SELECT id, state, lease IS NOT NULL AND due_at > now() AS leased FROM outbox WHERE id = %s FOR UPDATE",
        [parse_uuid(delivery_id)],
    ).fetchone()
    if row is None:
        raise Refused(f"there is no delivery {delivery_id}; see `alert-intake deliveries list`")
    if row["state"] == "delivered":
        raise Refused(f"delivery {delivery_id} has been delivered already")
    if row["state"] == "due" and row["leased"]:
        raise Refused(f"delivery {delivery_id} is being attempted right now")
    changed = database.execute(
        "UPDATE outbox SET state = 'due', due_at = now(), lease = NULL, ended_at = NULL WHERE id = %s"
        " RETURNING id, state, attempts, due_at",
        [row["id"]],
    ).fetchone()
    database.execute("SELECT pg_notify(%s, '')", [CHANNEL])
    if changed is None:
        raise Refused(f"there is no delivery {delivery_id}")
    return changed


SELECT_DELIVERIES = """
    SELECT o.id, o.state, s.name AS subscription, o.subscription_id, v.type AS event, o.alert_id, o.attempts, o.due_at,
           o.created_at, o.ended_at, last.status AS last_status, last.error AS last_error, last.attempted_at AS last_at
    FROM outbox o
    JOIN events v ON v.id = o.event_id
    JOIN subscriptions s ON s.id = o.subscription_id
    LEFT JOIN LATERAL (
        SELECT status, error, attempted_at FROM attempts WHERE outbox_id = o.id ORDER BY attempted_at DESC LIMIT 1
    ) last ON true
    WHERE (%(state)s::text IS NULL OR o.state = %(state)s)
        AND (%(subscription)s::text IS NULL OR s.name = %(subscription)s)
        AND (%(last_id)s::uuid IS NULL OR o.id < %(last_id)s::uuid)
    ORDER BY o.id DESC LIMIT %(limit)s
"""
