"""Lease: take due outbox items so that no one else sends them meanwhile.

No HTTP happens inside a transaction: lease and commit, send, record and commit. A forwarder that dies between sending
and recording leaves an item that is due again when its lease ends; the receiver knows it by its webhook-id.

Which items are leased, and how many of each subscription, stands in deploy/postgres/0006.deliveries.sql.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from schemas.forwarding import Forwarding
from workers.connections import Database

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


def seconds_until_due(database: Database) -> float | None:
    """Return the seconds until more may be leased than now (0 or less: at once), None when nothing waits."""
    row = database.execute("SELECT seconds_until_due() AS seconds").fetchone()
    return None if row is None or row["seconds"] is None else float(row["seconds"])


LEASE_DUE = """
    SELECT * FROM lease_due(%(free)s::integer, %(lease)s::uuid, %(seconds)s::double precision,
                            %(timeout)s::double precision, %(concurrency)s::integer, %(probe)s::double precision)
"""
