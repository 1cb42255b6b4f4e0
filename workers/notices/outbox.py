"""The outbox of notices: events about no alert, due to who asked for them, except to whom they are about.

Filters are about alerts, so they keep no notice back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from uuid_utils.compat import uuid7

from schemas.downstream.events import wants_event
from workers.database.connections import Database
from workers.database.rows import insert_rows
from workers.intake.announce import CHANNEL, SELECT_SUBSCRIPTIONS


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell. `at`: when it happened, ISO text. `about`: the id of the subscription that is not told of it.

    A subscription that was told of its own failing would have one thing more to fail with each time.
    """

    type: str
    at: str
    payload: dict[str, Any]
    about: str | None = None


def announce_notices(database: Database, notices: Sequence[Notice]) -> None:
    """Insert events and outbox items, and wake the forwarders when the transaction commits."""
    if not notices:
        return
    subscriptions = database.execute(SELECT_SUBSCRIPTIONS).fetchall()
    told = [(str(uuid7()), notice) for notice in notices]
    events = [
        {"id": event_id, "type": notice.type, "alert": notice.payload, "created_at": notice.at}
        for event_id, notice in told
    ]
    insert_rows(database, "events", ("id", "type", "alert", "created_at"), events)
    due = [
        {"id": str(uuid7()), "event_id": event_id, "subscription_id": row["id"]}
        for event_id, notice in told
        for row in subscriptions
        if row["id"] != notice.about and wants_event(row["events"], notice.type)
    ]
    if due:
        # The columns that are not named take their defaults, which a row read from JSON would set to null.
        insert_rows(database, "outbox", ("id", "event_id", "subscription_id"), due)
        database.execute("SELECT pg_notify(%s, '')", [CHANNEL])
