"""Lease: take due outbox items so that no one else sends them meanwhile, and record how each attempt went.

No HTTP happens inside a transaction: lease and commit, send, record and commit. A forwarder that dies between sending
and recording leaves an item that is due again when its lease ends; the receiver knows it by its webhook-id.

Which items are leased, and how many of each subscription, stands in deploy/postgres/0006.deliveries.sql.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson

from schemas.configuration import Forwarding
from schemas.times import iso_time
from workers.connections import Database
from workers.delivery.circuit import COUNT_FAILURES, Turn, count_runs
from workers.delivery.policy import Answer, Outcome

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """A leased outbox item with all that its delivery needs.

    attempts  how many there have been, with the one about to be made; `spared` of them do not count for the schedule
    timeout   seconds for the attempt; None: as usual
    probe     its subscription is tripped, and this attempt decides whether it is resumed
    contact   the alert's `descriptorContact`, if the subscription gets it
    """

    outbox_id: str
    lease: str
    attempts: int
    spared: int
    alert_id: str
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


@dataclass(frozen=True, slots=True)
class Attempt:
    """A finished attempt: what the answer was, and what follows from it."""

    item: Item
    answer: Answer
    outcome: Outcome
    attempted_at: datetime


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


def record_attempts(database: Database, attempts: Sequence[Attempt], settings: Forwarding) -> list[Turn]:
    """Write finished attempts and what follows from them, in one statement. Return what became of subscriptions.

    Done is done, whoever holds the lease by now; everything else counts only for who still holds it.
    """
    runs = count_runs((attempt.item.subscription_id, attempt.outcome.verdict, attempt.answer) for attempt in attempts)
    turned = database.execute(
        RECORD_ATTEMPTS,
        {
            "attempts": orjson.dumps([attempt_row(attempt) for attempt in attempts]).decode(),
            "runs": orjson.dumps(runs).decode(),
            "trip_failures": settings.trip_failures,
            "trip_seconds": settings.trip_seconds,
            "probe_interval": settings.probe_interval,
        },
    )
    return [Turn(**row) for row in turned]


def attempt_row(attempt: Attempt) -> Row:
    """Return what both statements need of an attempt."""
    item, answer, outcome = attempt.item, attempt.answer, attempt.outcome
    next_at = None if outcome.wait is None else attempt.attempted_at + timedelta(seconds=outcome.wait)
    return {
        "attempted_at": iso_time(attempt.attempted_at),
        "outbox_id": item.outbox_id,
        "subscription_id": item.subscription_id,
        "alert_id": item.alert_id,
        "number": item.attempts,
        "status": answer.status,
        "milliseconds": round(answer.milliseconds, 3),
        "error": answer.error,
        "answer": answer.text or None,
        "next_at": iso_time(next_at) if next_at else None,
        "lease": item.lease,
        "state": outcome.state,
        "wait": outcome.wait or 0,
        "spared": int(outcome.spared),
    }


def seconds_until_due(database: Database) -> float | None:
    """Return the seconds until more may be leased than now (0 or less: at once), None when nothing waits."""
    row = database.execute("SELECT seconds_until_due() AS seconds").fetchone()
    return None if row is None or row["seconds"] is None else float(row["seconds"])


def now() -> datetime:
    """The moment of an attempt."""
    return datetime.now(UTC)


LEASE_DUE = """
    SELECT * FROM lease_due(%(free)s::integer, %(lease)s::uuid, %(seconds)s::double precision,
                            %(timeout)s::double precision, %(concurrency)s::integer, %(probe)s::double precision)
"""

# 'due' keeps the schedule in the server's clock: its own now() plus the wait.
RECORD_ATTEMPTS = f"""
    WITH attempted AS MATERIALIZED (
        SELECT * FROM json_to_recordset(%(attempts)s::json) AS r(
            attempted_at timestamptz, outbox_id uuid, subscription_id uuid, alert_id uuid, number integer,
            status integer, milliseconds double precision, error text, answer text, next_at timestamptz,
            lease uuid, state text, wait double precision, spared integer)
    ), recorded AS (
        INSERT INTO attempts
            (attempted_at, outbox_id, subscription_id, alert_id, number, status, milliseconds, error, answer, next_at)
        SELECT attempted_at, outbox_id, subscription_id, alert_id, number, status, milliseconds, error, answer, next_at
        FROM attempted ON CONFLICT DO NOTHING
    ), ended AS (
        UPDATE outbox o
        SET state = r.state, lease = NULL, spared = o.spared + r.spared,
            due_at = CASE WHEN r.state = 'due' THEN now() + make_interval(secs => r.wait) ELSE o.due_at END,
            ended_at = CASE WHEN r.state = 'due' THEN NULL ELSE now() END
        FROM attempted r
        WHERE o.id = r.outbox_id AND o.state = 'due' AND (o.lease = r.lease OR r.state = 'delivered')
    ), {COUNT_FAILURES}
    SELECT name AS subscription, what, why FROM turned
"""  # noqa: S608 - of constants
