"""Read deliveries (outbox items and their attempts), and make them due again, one or many."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from console.alerts.queries import Page, parse_uuid
from console.connections import Database
from console.cursor import BadCursor, read_cursor, write_cursor
from console.operations import note_operation
from console.unreachable import Refused

STATES = ("due", "delivered", "given_up")
CHANNEL = "alert_intake_due"  # what the forwarders listen to
BATCH = 1000


class NoSuchDelivery(Refused):
    """There is no delivery of this id."""


class NotRetriable(Refused):
    """The delivery has been made, or is being attempted."""


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
    rows = database.execute(SELECT_DELIVERIES, asdict(sought) | {"last_id": last_id, "limit": limit + 1}).fetchall()
    more, rows = len(rows) > limit, rows[:limit]
    return Page(rows, write_cursor("deliveries", str(rows[-1]["id"])) if more else None)


def read_delivery(database: Database, delivery_id: str) -> dict[str, Any]:
    """Return one delivery with each of its attempts. Raises NoSuchDelivery."""
    own = {"id": parse_uuid(delivery_id)}
    row = database.execute(SELECT_DELIVERY, own).fetchone()
    if row is None:
        raise no_delivery(delivery_id)
    return row | {"log": database.execute(SELECT_ATTEMPTS, own).fetchall()}


def retry_delivery(database: Database, delivery_id: str, actor: str) -> dict[str, Any]:
    """Make a delivery due now, be it given up or waiting for its next attempt. Raises NoSuchDelivery, NotRetriable.

    It has the whole schedule before it again.
    """
    row = database.execute(
        "SELECT id, state, lease IS NOT NULL AND due_at > now() AS leased FROM outbox WHERE id = %s FOR UPDATE",
        [parse_uuid(delivery_id)],
    ).fetchone()
    if row is None:
        raise no_delivery(delivery_id)
    if row["state"] == "delivered":
        raise NotRetriable(f"delivery {delivery_id} has been delivered already")
    if row["state"] == "due" and row["leased"]:
        raise NotRetriable(f"delivery {delivery_id} is being attempted right now")
    (changed,) = database.execute(RETRY_DELIVERIES, [[row["id"]]]).fetchall()
    note_operation(database, actor, "retry delivery", delivery_id)
    database.execute("SELECT pg_notify(%s, '')", [CHANNEL])
    return changed


def bound_sought(database: Database, sought: Sought) -> tuple[Sought, int]:
    """Return what is sought among the deliveries of this moment, and how many they are. Raises NoSuchDelivery."""
    with database.transaction():
        known = database.execute("SELECT 1 FROM subscriptions WHERE name = %s", [sought.subscription]).fetchone()
        if known is None:
            raise NoSuchDelivery(f"there is no subscription {sought.subscription!r}")
        row = database.execute("SELECT now() AS now").fetchone() or {}
        bounded = replace(sought, until=min(sought.until or row["now"], row["now"]))
        counted = database.execute(COUNT_DELIVERIES, asdict(bounded)).fetchone() or {}
    return bounded, int(counted["count"])


def retry_matching(database: Database, sought: Sought, actor: str) -> Iterator[int]:
    """Make every delivery that is sought due now, the earliest first. Yield how many, batch by batch.

    Each batch is a transaction, on a connection that is in none. Interrupted, it goes on when it is started again:
    what has become due is not given up any more. One that fails again meanwhile is not taken twice.
    """
    last_id = None
    while True:
        with database.transaction():
            rows = database.execute(SELECT_MATCHING, asdict(sought) | {"last_id": last_id, "limit": BATCH}).fetchall()
            if rows:
                ids = [row["id"] for row in rows]
                retried = database.execute(RETRY_DELIVERIES, [ids]).fetchall()
                note = f"{len(retried)} to {sought.subscription}, {ids[0]} to {ids[-1]}"
                note_operation(database, actor, "retry deliveries", str(ids[0]), note)
                database.execute("SELECT pg_notify(%s, '')", [CHANNEL])
        if not rows:
            return
        last_id = ids[-1]
        yield len(retried)


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
    {SHOWN} WHERE {MATCHES} AND (%(last_id)s::uuid IS NULL OR o.id < %(last_id)s::uuid)
    ORDER BY o.id DESC LIMIT %(limit)s
"""
SELECT_DELIVERY = f"{SHOWN} WHERE o.id = %(id)s"
SELECT_ATTEMPTS = """
    SELECT number, attempted_at, status, milliseconds, error, answer, next_at
    FROM attempts WHERE outbox_id = %(id)s ORDER BY attempted_at, number
"""
COUNT_DELIVERIES = f"SELECT count(*) FROM outbox o WHERE {MATCHES}"  # noqa: S608 - of constants
SELECT_MATCHING = f"""
    SELECT o.id FROM outbox o
    WHERE {MATCHES} AND (o.lease IS NULL OR o.due_at <= now()) AND (%(last_id)s::uuid IS NULL OR o.id > %(last_id)s)
    ORDER BY o.id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - of constants
# What came up first is sent first.
RETRY_DELIVERIES = """
    UPDATE outbox
    SET state = 'due', due_at = least(due_at, created_at), lease = NULL, ended_at = NULL, spared = attempts
    WHERE id = ANY (%s) AND state <> 'delivered'
    RETURNING id, state, attempts, due_at
"""
