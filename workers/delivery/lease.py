"""Lease: take due outbox items so that no one else sends them meanwhile, and record how each attempt went.

No HTTP happens inside a transaction: lease and commit, send, record and commit. A forwarder that dies between sending
and recording leaves an item that is due again when its lease ends; the receiver knows it by its webhook-id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson

from schemas.alert import iso_time
from workers.connections import Database
from workers.delivery.policy import Answer, Verdict

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """A leased outbox item with all that its delivery needs. `attempts` counts the one about to be made."""

    outbox_id: str
    lease: str
    attempts: int
    alert_id: str
    event: str
    occurred_at: datetime
    alert: Row
    subscription_id: str
    subscription: str
    url: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Attempt:
    """A finished attempt: what the answer was, what it means, and in how many seconds the item is due again."""

    item: Item
    answer: Answer
    verdict: Verdict
    wait: float | None
    attempted_at: datetime


def lease_due(database: Database, limit: int, seconds: float) -> list[Item]:
    """Lease up to `limit` due items for `seconds`, those of one alert to one subscription strictly in their order."""
    lease = str(uuid4())
    rows = database.execute(LEASE_DUE, {"limit": limit, "lease": lease, "seconds": seconds}).fetchall()
    return [Item(**row) for row in rows]


def record_attempts(database: Database, attempts: Sequence[Attempt]) -> None:
    """Write finished attempts and what follows from them, in one transaction.

    Done is done, whoever holds the lease by now; everything else counts only for who still holds it.
    """
    rows = [attempt_row(attempt) for attempt in attempts]
    with database.transaction():
        database.execute(RECORD_ATTEMPTS, [orjson.dumps(rows).decode()])
        database.execute(RECORD_OUTCOMES, [orjson.dumps(rows).decode()])
        gone = [attempt.item.subscription_id for attempt in attempts if attempt.verdict == "pause"]
        if gone:
            database.execute("UPDATE subscriptions SET state = 'paused' WHERE id = ANY(%s::uuid[])", [gone])


def attempt_row(attempt: Attempt) -> Row:
    """Return what both statements need of an attempt."""
    again = attempt.verdict in {"again", "pause"} and attempt.wait is not None
    next_at = attempt.attempted_at + timedelta(seconds=attempt.wait or 0) if again else None
    state = "delivered" if attempt.verdict == "done" else "due" if again else "given_up"
    return {
        "attempted_at": iso_time(attempt.attempted_at),
        "outbox_id": attempt.item.outbox_id,
        "subscription_id": attempt.item.subscription_id,
        "alert_id": attempt.item.alert_id,
        "number": attempt.item.attempts,
        "status": attempt.answer.status,
        "milliseconds": round(attempt.answer.milliseconds, 3),
        "error": attempt.answer.error,
        "next_at": iso_time(next_at) if next_at else None,
        "lease": attempt.item.lease,
        "state": state,
        "wait": attempt.wait or 0,
    }


def seconds_until_due(database: Database) -> float | None:
    """Return the seconds until the next item is due (0 or less: at once), None when there is none."""
    row = database.execute(NEXT_DUE).fetchone()
    return None if row is None or row["seconds"] is None else float(row["seconds"])


def now() -> datetime:
    """The moment of an attempt."""
    return datetime.now(UTC)


LEASE_DUE = """
    WITH due AS (
        SELECT o.id FROM outbox o JOIN subscriptions s ON s.id = o.subscription_id
        WHERE o.state = 'due' AND o.due_at <= now() AND s.state = 'active' AND NOT EXISTS (
            SELECT FROM outbox earlier
            WHERE earlier.subscription_id = o.subscription_id AND earlier.alert_id = o.alert_id
              AND earlier.state = 'due' AND earlier.position < o.position)
        ORDER BY o.due_at, o.position LIMIT %(limit)s FOR UPDATE OF o SKIP LOCKED
    ), leased AS (
        UPDATE outbox o
        SET due_at = now() + make_interval(secs => %(seconds)s), lease = %(lease)s, attempts = attempts + 1
        FROM due WHERE o.id = due.id
        RETURNING o.*
    )
    SELECT leased.id::text AS outbox_id, lease::text, attempts, leased.alert_id::text, e.type AS event,
           e.created_at AS occurred_at, e.alert, s.id::text AS subscription_id, s.name AS subscription, s.url, s.sealed
    FROM leased JOIN events e ON e.id = leased.event_id JOIN subscriptions s ON s.id = leased.subscription_id
    ORDER BY leased.position
"""

# 'due' keeps the schedule in the server's clock: its own now() plus the wait.
RECORD_OUTCOMES = """
    UPDATE outbox o
    SET state = r.state, lease = NULL,
        due_at = CASE WHEN r.state = 'due' THEN now() + make_interval(secs => r.wait) ELSE o.due_at END,
        ended_at = CASE WHEN r.state = 'due' THEN NULL ELSE now() END
    FROM json_to_recordset(%s::json) AS r(outbox_id uuid, lease uuid, state text, wait double precision)
    WHERE o.id = r.outbox_id AND o.state = 'due' AND (o.lease = r.lease OR r.state = 'delivered')
"""

RECORD_ATTEMPTS = """
    INSERT INTO attempts
        (attempted_at, outbox_id, subscription_id, alert_id, number, status, milliseconds, error, next_at)
    SELECT attempted_at, outbox_id, subscription_id, alert_id, number, status, milliseconds, error, next_at
    FROM json_populate_recordset(NULL::attempts, %s::json)
    ON CONFLICT DO NOTHING
"""

NEXT_DUE = """
    SELECT extract(epoch FROM min(o.due_at) - now()) AS seconds
    FROM outbox o JOIN subscriptions s ON s.id = o.subscription_id WHERE o.state = 'due' AND s.state = 'active'
"""
