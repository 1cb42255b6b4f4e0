"""Record: write down how attempts went, and what follows from that for their items and subscriptions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
import psycopg
import structlog

from schemas.alert.times import iso_time
from schemas.settings.forwarding import Forwarding
from workers.database.connections import Database
from workers.delivery.answer import keep_answer
from workers.delivery.circuit import COUNT_FAILURES, Run, Turn, add_attempts, run_rows
from workers.delivery.lease import Item
from workers.delivery.policy import Answer, Outcome, decide_outcome

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Attempt:
    """A finished attempt: what the answer was, and what follows from it."""

    item: Item
    answer: Answer
    outcome: Outcome
    attempted_at: datetime

    @classmethod
    def judge(cls, item: Item, answer: Answer, settings: Forwarding, at: datetime) -> "Attempt":
        """Decide what follows from an answer."""
        outcome = decide_outcome(item.attempts - item.spared, answer, settings, probe=item.probe)
        return cls(item, answer, outcome, at)


def record_each(
    database: Database, attempts: Sequence[Attempt], settings: Forwarding, uncounted: dict[str, Run]
) -> list[Turn]:
    """Record attempts together; if the database refuses that for what they hold, one by one without the culprit.

    It would be refused again for ever; left alone, its item is due again when its lease ends.
    """
    try:
        return record_attempts(database, attempts, settings, uncounted)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        if len(attempts) == 1:
            log.error(  # noqa: TRY400 - without the text of the error, which may quote an answer
                "attempt_not_recorded", webhook_id=attempts[0].item.outbox_id, error=type(error).__name__
            )
            return []
    return [turn for attempt in attempts for turn in record_each(database, [attempt], settings, uncounted)]


def record_attempts(
    database: Database, attempts: Sequence[Attempt], settings: Forwarding, uncounted: dict[str, Run]
) -> list[Turn]:
    """Write finished attempts and what follows from them, in one statement. Return what became of subscriptions.

    Done is done, whoever holds the lease by now; everything else counts only for who still holds it.
    `uncounted` are the runs that could not be counted before; those that cannot be now take their place.
    """
    runs = add_attempts(
        uncounted, ((attempt.item.subscription_id, attempt.outcome.verdict, attempt.answer) for attempt in attempts)
    )
    rows = database.execute(
        RECORD_ATTEMPTS,
        {
            "attempts": orjson.dumps([attempt_row(attempt) for attempt in attempts]).decode(),
            "runs": orjson.dumps(run_rows(runs)).decode(),
            "trip_failures": settings.trip_failures,
            "trip_seconds": settings.trip_seconds,
            "trip_quiet_seconds": settings.trip_quiet_seconds,
            "probe_interval": settings.probe_interval,
        },
    ).fetchall()
    uncounted.clear()
    uncounted.update({row["subscription"]: runs[row["subscription"]] for row in rows if row["what"] == "passed over"})
    return [Turn(**row) for row in rows if row["what"] != "passed over"]


def attempt_row(attempt: Attempt) -> dict[str, Any]:
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
        "answer": keep_answer(answer.text, item.contact),
        "next_at": iso_time(next_at) if next_at else None,
        "lease": item.lease,
        "state": outcome.state,
        "wait": outcome.wait or 0,
        "spared": int(outcome.spared),
    }


# 'due' keeps the schedule in the server's clock: its own now() plus the wait.
# What was put behind an item that ends (lease_due, deploy/postgres/0016.behind.sql) is due from when it came up: the
# next of its alert, and the one after that when this one ends. It is locked whatever it is due at, so that who is just
# putting it behind is waited for.
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
        RETURNING o.subscription_id, o.alert_id, o.position, o.state
    ), followed AS (
        UPDATE outbox o SET due_at = o.created_at
        FROM ended e CROSS JOIN LATERAL (
            SELECT n.id, n.due_at, n.lease, n.held AND n.attempts = 0 AS held FROM outbox n
            WHERE n.subscription_id = e.subscription_id AND n.alert_id = e.alert_id AND n.state = 'due'
              AND n.position > e.position
            ORDER BY n.position LIMIT 1 FOR NO KEY UPDATE
        ) next
        WHERE o.id = next.id AND e.state <> 'due' AND next.due_at > now() AND next.lease IS NULL AND NOT next.held
    ), {COUNT_FAILURES}
    SELECT name AS subscription, what, why FROM turned UNION ALL SELECT id::text, 'passed over', '' FROM passed_over
"""  # noqa: S608 - of constants
