"""Read deliveries: outbox items and their attempts."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from console.connections import Database
from console.paging import BadCursor, Page, parse_uuid, read_cursor, write_cursor
from console.unreachable import Refused

STATES = ("due", "delivered", "given_up")


class NoSuchDelivery(Refused):
    """There is no delivery of this id."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Which deliveries are asked for. `since` is included, `until` is not; both of when the event happened."""

    state: str | None = None
    subscription: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def list_deliveries(database: Database, sought: Sought, limit: int = 100, cursor: str | None = None) -> Page:
    """Return a page of deliveries, the latest first (their ids are UUIDv7). Raises BadCursor."""
    last_id = None
    if cursor:
        (last_id,) = read_cursor("deliveries", cursor, str)
        if parse_uuid(last_id) is None:
            raise BadCursor("cursor: not a cursor of deliveries")
    known = database.execute("SELECT id FROM subscriptions WHERE name = %s", [sought.subscription]).fetchone()
    values = asdict(sought) | {"own": known["id"] if known else None, "last_id": last_id, "limit": limit + 1}
    rows = database.execute(SELECT_DELIVERIES, values, prepare=False).fetchall()  # planned for these very values
    more, rows = len(rows) > limit, rows[:limit]
    return Page(rows, write_cursor("deliveries", str(rows[-1]["id"])) if more else None)


def read_delivery(database: Database, delivery_id: str) -> dict[str, Any]:
    """Return one delivery with each of its attempts. Raises NoSuchDelivery."""
    own = {"id": parse_uuid(delivery_id)}
    row = database.execute(SELECT_DELIVERY, own).fetchone()
    if row is None:
        raise no_delivery(delivery_id)
    return row | {"log": database.execute(SELECT_ATTEMPTS, own).fetchall()}


def no_delivery(delivery_id: str) -> NoSuchDelivery:
    """Return the refusal for an id that is none."""
    return NoSuchDelivery(f"there is no delivery {delivery_id}; see `alert-intake deliveries list`")


SHOWN = """
    SELECT o.id, o.state, s.name AS subscription, o.subscription_id, v.type AS event, o.alert_id, o.attempts, o.due_at,
           o.created_at, o.ended_at, last.status AS last_status, last.error AS last_error, last.attempted_at AS last_at
    FROM outbox o
    JOIN events v ON v.id = o.event_id
    JOIN subscriptions s ON s.id = o.subscription_id
    LEFT JOIN LATERAL (
        SELECT status, error, attempted_at FROM attempts WHERE outbox_id = o.id ORDER BY attempted_at DESC LIMIT 1
    ) last ON true
"""
MATCHES = """
    (%(state)s::text IS NULL OR o.state = %(state)s)
    AND (%(subscription)s::text IS NULL
         OR o.subscription_id = (SELECT id FROM subscriptions WHERE name = %(subscription)s))
    AND (%(since)s::timestamptz IS NULL OR o.created_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR o.created_at < %(until)s)
"""
SELECT_DELIVERIES = f"""
    {SHOWN} WHERE {MATCHES} AND (%(own)s::uuid IS NULL OR o.subscription_id = %(own)s::uuid)
        AND (%(last_id)s::uuid IS NULL OR o.id < %(last_id)s::uuid)
    ORDER BY o.id DESC LIMIT %(limit)s
"""
SELECT_DELIVERY = f"{SHOWN} WHERE o.id = %(id)s"
SELECT_ATTEMPTS = """
    SELECT number, attempted_at, status, milliseconds, error, answer, next_at
    FROM attempts WHERE outbox_id = %(id)s ORDER BY attempted_at, number
"""
