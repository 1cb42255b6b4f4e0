"""Announce: what a batch has to tell downstream becomes events, and one due outbox item for each who wants it.

Written in the batch's own transaction: an alert is never stored without being due, nor due without being stored.
"""

from collections.abc import Sequence

from uuid_utils.compat import uuid7

from schemas.subscription import wants_event
from workers.connections import Database
from workers.intake.outcomes import Event
from workers.intake.rows import insert_rows

CHANNEL = "alert_intake_due"


def announce_events(database: Database, events: Sequence[Event]) -> None:
    """Insert events and outbox items, and wake the forwarders when the transaction commits. Paused is due, too."""
    if not events:
        return
    subscriptions = database.execute("SELECT id::text, events FROM subscriptions").fetchall()
    rows = [
        {"id": str(uuid7()), "type": event.type, "alert_id": event.alert.id, "revision": event.alert.revision}
        | {"alert": event.alert.to_row()}
        for event in events
    ]
    insert_rows(database, "events", ("id", "type", "alert_id", "revision", "alert"), rows)
    due = [
        {"id": str(uuid7()), "event_id": row["id"], "subscription_id": subscription["id"], "alert_id": row["alert_id"]}
        for row in rows
        for subscription in subscriptions
        if wants_event(subscription["events"], str(row["type"]))
    ]
    if due:
        insert_rows(database, "outbox", ("id", "event_id", "subscription_id", "alert_id"), due)
        database.execute("SELECT pg_notify(%s, '')", [CHANNEL])
