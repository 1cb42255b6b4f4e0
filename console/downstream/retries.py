"""Make deliveries due again, one or many."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import islice
from typing import Any

from console.connections import Database
from console.downstream.deliveries import MATCHES, Sought
from console.downstream.delivery import NoSuchDelivery, no_delivery
from console.operations import note_operation
from console.outbox import HELD, LEASED
from console.paging import parse_uuid
from console.unreachable import Refused

CHANNEL = "alert_intake_due"  # what the forwarders listen to
BATCH = 1000
MOST_BATCHES = 10  # of one request; the command does them all


class NotRetriable(Refused):
    """The delivery has been made, is being attempted, or waits for what is to be added to its alert."""


def retry_delivery(database: Database, delivery_id: str, actor: str) -> dict[str, Any]:
    """Make a delivery due now, be it given up or waiting for its next attempt. Raises NoSuchDelivery, NotRetriable.

    It has the whole schedule before it again.
    """
    row = database.execute(
        f"SELECT o.id, o.state, {LEASED} AS leased, {HELD} AS held FROM outbox o"  # noqa: S608 - of constants
        " WHERE o.id = %s FOR UPDATE",
        [parse_uuid(delivery_id)],
    ).fetchone()
    if row is None:
        raise no_delivery(delivery_id)
    if row["state"] == "delivered":
        raise NotRetriable(f"delivery {delivery_id} has been delivered already")
    if row["state"] == "due" and row["leased"]:
        raise NotRetriable(f"delivery {delivery_id} is being attempted right now")
    if row["held"]:
        raise NotRetriable(f"delivery {delivery_id} waits for the remote enrichers, and goes out by itself after them")
    (changed,) = database.execute(RETRY_DELIVERIES, [[row["id"]]]).fetchall()
    note_operation(database, actor, "retry delivery", delivery_id)
    database.execute("SELECT pg_notify(%s, '')", [CHANNEL])
    return changed


def bound_sought(database: Database, sought: Sought) -> tuple[Sought, int]:
    """Return what is sought among the deliveries of this moment, and how many they are. Raises NoSuchDelivery."""
    with database.transaction():
        check_subscription(database, sought)
        row = database.execute("SELECT now() AS now").fetchone() or {}
        bounded = replace(sought, until=min(sought.until or row["now"], row["now"]))
        counted = database.execute(COUNT_DELIVERIES, asdict(bounded)).fetchone() or {}
    return bounded, int(counted["count"])


def check_subscription(database: Database, sought: Sought) -> None:
    """Refuse a subscription that is none. Raises NoSuchDelivery."""
    if database.execute("SELECT 1 FROM subscriptions WHERE name = %s", [sought.subscription]).fetchone() is None:
        raise NoSuchDelivery(f"there is no subscription {sought.subscription!r}")


def retry_some(database: Database, sought: Sought, actor: str) -> tuple[int, bool]:
    """Retry what is sought and was given up, as many as one request may: the earliest. Raises NoSuchDelivery.

    Return how many, and whether there may be more: these are the earliest then, when it is asked for again.
    """
    with database.transaction():
        check_subscription(database, sought)
    batches = list(islice(retry_matching(database, replace(sought, state="given_up"), actor), MOST_BATCHES))
    return sum(batches), len(batches) == MOST_BATCHES


def retry_matching(database: Database, sought: Sought, actor: str) -> Iterator[int]:
    """Make every delivery that is sought and was tried due now, the earliest first. Yield how many, batch by batch.

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


# One that was never tried waits for nothing that a retry could hurry, unless it is held.
TRIED = "(o.state <> 'due' OR o.attempts > 0)"
COUNT_DELIVERIES = f"SELECT count(*) FROM outbox o WHERE {MATCHES} AND {TRIED}"  # noqa: S608 - of constants
SELECT_MATCHING = f"""
    SELECT o.id FROM outbox o
    WHERE {MATCHES} AND {TRIED} AND (o.lease IS NULL OR o.due_at <= now())
      AND (%(last_id)s::uuid IS NULL OR o.id > %(last_id)s)
    ORDER BY o.id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - of constants
# What came up first is sent first.
RETRY_DELIVERIES = """
    UPDATE outbox
    SET state = 'due', due_at = least(due_at, created_at), lease = NULL, ended_at = NULL, spared = attempts
    WHERE id = ANY (%s) AND state <> 'delivered'
    RETURNING id, state, attempts, due_at
"""
