"""Circuit: a subscription that keeps failing is tripped; nothing of it is lost, and the first success resumes it.

Tripped, its items stay due and only one of them is tried at a time, every probe interval, whatever its own schedule
says. On resuming, what was postponed is due at once, in the order in which it came up.

Counting is best effort: a subscription whose row somebody else holds is passed over, so that nobody waits.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from schemas.configuration import Forwarding
from workers.connections import Database
from workers.delivery.policy import Answer, Verdict


@dataclass(frozen=True, slots=True)
class Turn:
    """A subscription's state has changed: `what` is "tripped", "resumed" or "paused"."""

    subscription_id: str
    subscription: str
    what: str
    why: str


@dataclass(slots=True)
class Run:
    """How the attempts of one subscription went, in their order: failures since the last success, if there was one."""

    succeeded: bool = False
    failures: int = 0
    gone: bool = False
    why: str = ""

    def add(self, verdict: Verdict, answer: Answer) -> None:
        """Add one attempt."""
        if verdict == "done":
            self.succeeded, self.failures = True, 0
            return
        self.failures += 1
        self.gone |= verdict == "pause"
        self.why = f"status {answer.status}" if answer.status is not None else answer.error or "no answer"


def count_failures(
    database: Database, finished: Iterable[tuple[str, Verdict, Answer]], settings: Forwarding
) -> list[Turn]:
    """Count finished attempts (subscription id, verdict, answer), and trip, resume or pause what they are about."""
    runs: dict[str, Run] = {}
    for subscription_id, verdict, answer in finished:
        runs.setdefault(subscription_id, Run()).add(verdict, answer)
    rows = [
        {"id": name, "succeeded": run.succeeded, "failures": run.failures, "gone": run.gone, "why": run.why}
        for name, run in runs.items()
    ]
    turned = database.execute(
        COUNT_FAILURES,
        {
            "runs": orjson.dumps(rows).decode(),
            "trip_failures": settings.trip_failures,
            "trip_seconds": settings.trip_seconds,
            "probe_interval": settings.probe_interval,
        },
    ).fetchall()
    turns = [read_turn(row) for row in turned if row["state"] != row["before"]]
    for turn in turns:
        database.execute(NOTE_TURN, [turn.subscription_id, turn.subscription, turn.what, turn.why])
        if turn.what == "resumed":
            database.execute(BRING_FORWARD, [turn.subscription_id])
    return turns


def read_turn(row: dict[str, Any]) -> Turn:
    """Say what a change of state means."""
    match row["state"]:
        case "active":
            what, why = "resumed", "a delivery succeeded"
        case "tripped":
            what, why = "tripped", f"{row['failures']} failures in a row, the last: {row['why']}"
        case _:
            what, why = "paused", "the receiver answered 410: gone"
    return Turn(row["id"], row["name"], what, why)


# Nothing is written for a subscription that succeeds and did not fail before.
COUNT_FAILURES = """
    WITH run AS MATERIALIZED (
        SELECT * FROM json_to_recordset(%(runs)s::json)
            AS r(id uuid, succeeded boolean, failures integer, gone boolean, why text)
    ), held AS MATERIALIZED (
        SELECT s.id, s.state, s.failures, s.failing_since FROM subscriptions s
        WHERE s.id IN (SELECT id FROM run)
          AND (s.failures > 0 OR s.state = 'tripped' OR s.id IN (SELECT id FROM run WHERE failures > 0))
        ORDER BY s.id FOR NO KEY UPDATE SKIP LOCKED
    ), counted AS (
        SELECT h.id, h.state AS before, r.succeeded, r.gone, r.why,
               CASE WHEN r.succeeded THEN 0 ELSE h.failures END + r.failures AS failures,
               CASE WHEN NOT r.succeeded THEN coalesce(h.failing_since, now())
                    WHEN r.failures > 0 THEN now() END AS failing_since
        FROM held h JOIN run r ON r.id = h.id
    )
    UPDATE subscriptions s
    SET failures = c.failures, failing_since = c.failing_since,
        probe_at = CASE WHEN c.before = 'active' THEN now() + make_interval(secs => %(probe_interval)s)
                        ELSE s.probe_at END,
        state = CASE WHEN c.gone AND c.before <> 'paused' THEN 'paused'
                     WHEN c.before = 'tripped' AND c.succeeded THEN 'active'
                     WHEN c.before = 'active' AND c.failures >= %(trip_failures)s
                          AND c.failing_since <= now() - make_interval(secs => %(trip_seconds)s) THEN 'tripped'
                     ELSE c.before END
    FROM counted c WHERE s.id = c.id
    RETURNING s.id::text, s.name, s.state, s.failures, c.before, c.why
"""
NOTE_TURN = "INSERT INTO subscription_log (subscription_id, subscription, what, why) VALUES (%s, %s, %s, %s)"

# What an attempt postponed. An item that was never tried and is not due yet waits for something else.
BRING_FORWARD = """
    UPDATE outbox SET due_at = created_at
    WHERE subscription_id = %s AND state = 'due' AND lease IS NULL AND attempts > 0 AND due_at > now()
"""
