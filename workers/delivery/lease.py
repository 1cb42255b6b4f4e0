"""Lease: take due outbox items so that no one else sends them meanwhile.

No HTTP happens inside a transaction: lease and commit, send, record and commit. A forwarder that dies between sending
and recording leaves an item that is due again when its lease ends; the receiver knows it by its webhook-id.

Which items are leased, and how many of each subscription, stands in deploy/postgres/0016.behind.sql.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from schemas.settings.forwarding import Forwarding
from workers.database.connections import Database

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """A leased outbox item with all that its delivery needs.

    attempts  how many there have been, with the one about to be made; `spared` of them do not count for the schedule
    timeout   seconds for the attempt; None: as usual
    probe     its subscription is tripped, and this attempt decides whether it is resumed
    contact   the alert's `descriptorContact`, if the subscription gets it
    alert     the alert as it stood, or, when `alert_id` is None, the payload of a notice
    """

    outbox_id: str
    lease: str
    attempts: int
    spared: int
    alert_id: str | None
    event: str
    occurred_at: datetime
    alert: Row
    subscription_id: str
    subscription: str
    url: str
    sealed: bytes
    timeout: float | None = None
    leave_out: tuple[str, ...] | list[str] = ()
    personal_data: bool = False
    probe: bool = False
    contact: str | None = None


def lease_due(database: Database, free: int, settings: Forwarding) -> list[Item]:
    """Lease due items for a sender with so many free places, those of one alert strictly in their order."""
    rows = database.execute(
        LEASE_DUE,
        {
            "free": free,
            "lease": str(uuid4()),
            "seconds": settings.lease,
            "timeout": settings.timeout,
            "concurrency": settings.subscription_concurrency,
            "probe": settings.probe_interval,
        },
    )
    return [Item(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is to be expected of the outbox.

    due_in  seconds until more may be leased than now (0 or less: at once), None when nothing waits
    ready   it is worth to lease now: that moment has come, or something is due that is with no sender
    """

    due_in: float | None
    ready: bool


def look_ahead(database: Database) -> Ahead:
    """Look when there is something to lease."""
    (row,) = database.execute(LOOK_AHEAD)
    return Ahead(row["due_in"], row["waits"] or (row["due_in"] is not None and row["due_in"] <= 0))


LEASE_DUE = """
    SELECT * FROM lease_due(%(free)s::integer, %(lease)s::uuid, %(seconds)s::double precision,
                            %(timeout)s::double precision, %(concurrency)s::integer, %(probe)s::double precision)
"""

LOOK_AHEAD = """
    SELECT seconds_until_due() AS due_in, EXISTS (
        SELECT FROM subscriptions s CROSS JOIN LATERAL (
            SELECT FROM outbox o
            WHERE o.subscription_id = s.id AND o.state = 'due' AND o.due_at <= now() LIMIT 1
        ) waiting
        WHERE s.state = 'active' AND (s.asked_until IS NULL OR s.asked_until <= now())
    ) AS waits
"""
