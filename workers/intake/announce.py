"""Announce: what a batch has to tell downstream becomes events, and one due outbox item for each who wants it.

Written in the batch's own transaction: an alert is never stored without being due, nor due without being stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from uuid_utils.compat import uuid7

from schemas.downstream.events import wants_event
from schemas.downstream.filters import EVERYTHING, Filters, read_filters
from workers.database.connections import Database
from workers.database.copying import json_text
from workers.database.loading import Load, load_rows
from workers.intake.outcomes import Event

CHANNEL = "alert_intake_due"
EVENT_DOCUMENTS = frozenset({"alert"})


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A subscription as far as it decides what is due to it. `asked` remembers which types it wants."""

    id: str
    events: list[str]
    filters: Filters
    asked: dict[str, bool] = field(default_factory=dict)

    @classmethod
    def read(cls, row: dict[str, Any]) -> "Subscriber":
        """Read a row of `subscriptions`."""
        return cls(row["id"], row["events"], read_filters(row["filters"]) if row["filters"] else EVERYTHING)

    def wants(self, event: Event) -> bool:
        """Say whether an event is due to it."""
        if event.type not in self.asked:
            self.asked[event.type] = wants_event(self.events, event.type)
        return self.asked[event.type] and (self.filters is EVERYTHING or self.filters.admit(event.alert))


def announce_events(database: Database, events: Sequence[Event]) -> None:
    """Insert events and outbox items, and wake the forwarders when the transaction commits. Paused is due, too."""
    if not events:
        return
    subscriptions = [Subscriber.read(row) for row in database.execute(SELECT_SUBSCRIPTIONS)]
    told = [(str(uuid7()), event) for event in events]
    due = [
        (str(uuid7()), event_id, subscriber.id, event.alert.id)
        for event_id, event in told
        for subscriber in subscriptions
        if subscriber.wants(event)
    ]
    load_rows(
        database,
        Load(
            "events",
            ("id", "type", "alert_id", "revision", "alert"),
            [
                (
                    event_id,
                    event.type,
                    event.alert.id,
                    str(event.alert.revision),
                    json_text(event.alert.to_told_row() | {"origin": event.origin}),
                )
                for event_id, event in told
            ],
            EVENT_DOCUMENTS,
        ),
        Load("outbox", ("id", "event_id", "subscription_id", "alert_id"), due),
    )
    if due:
        database.execute("SELECT pg_notify(%s, '')", [CHANNEL])


# Who removes a subscription waits for us, or we for them: none is removed between the look and the commit.
SELECT_SUBSCRIPTIONS = "SELECT id::text, events, filters FROM subscriptions FOR KEY SHARE"
