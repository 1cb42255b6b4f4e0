"""Circuit: a subscription that keeps failing is tripped; nothing of it is lost, and the first success resumes it.

Tripped, its items stay due and only one of them is tried at a time, every probe interval, whatever its own schedule
says. On resuming, what was postponed is due at once, in the order in which it came up.

A subscription whose row somebody else holds is passed over, so that nobody waits: what there was to count of it is
counted with what comes next. Only what a process has not counted when it ends is never counted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from workers.delivery.policy import Answer, Verdict, seconds_held


@dataclass(frozen=True, slots=True)
class Turn:
    """A subscription's state has changed: `what` is "tripped", "resumed" or "paused"."""

    subscription: str
    what: str
    why: str


@dataclass(slots=True)
class Run:
    """How the attempts of one subscription went, in their order: failures since the last success, if there was one.

    held  seconds for which the receiver wants to be left alone
    """

    succeeded: bool = False
    failures: int = 0
    gone: bool = False
    held: float = 0.0
    why: str = ""

    def add(self, verdict: Verdict, answer: Answer) -> None:
        """Add one attempt."""
        if verdict == "done":
            self.succeeded, self.failures = True, 0
            return
        self.failures += 1
        self.gone |= verdict == "pause"
        self.held = max(self.held, seconds_held(answer))
        self.why = f"status {answer.status}" if answer.status is not None else answer.error or "no answer"


def add_attempts(runs: Mapping[str, Run], finished: Iterable[tuple[str, Verdict, Answer]]) -> dict[str, Run]:
    """Return the runs by subscription id with finished attempts (subscription id, verdict, answer) added to them."""
    longer = {subscription_id: replace(run) for subscription_id, run in runs.items()}
    for subscription_id, verdict, answer in finished:
        longer.setdefault(subscription_id, Run()).add(verdict, answer)
    return longer


def run_rows(runs: Mapping[str, Run]) -> list[dict[str, Any]]:
    """Return runs as rows for COUNT_FAILURES."""
    return [{"id": subscription_id} | asdict(run) for subscription_id, run in runs.items()]


# Counts runs (%(runs)s) and turns subscriptions: `turned`. Those that somebody else holds are `passed_over`. To be one
# part of a WITH.
# Nothing is written for a subscription that succeeds and did not fail before.
# Brought forward is what an attempt postponed, and what was put behind it: what is held, and was never tried, waits for
# something else.
COUNT_FAILURES = """
    run AS MATERIALIZED (
        SELECT * FROM json_to_recordset(%(runs)s::json)
            AS r(id uuid, succeeded boolean, failures integer, gone boolean, held double precision, why text)
    ), concerned AS MATERIALIZED (
        SELECT s.id FROM subscriptions s JOIN run r ON r.id = s.id
        WHERE s.failures > 0 OR s.state = 'tripped' OR r.failures > 0
    ), held AS MATERIALIZED (
        SELECT s.id, s.state, s.failures, s.failing_since FROM subscriptions s
        WHERE s.id IN (SELECT id FROM concerned)
        ORDER BY s.id FOR NO KEY UPDATE SKIP LOCKED
    ), passed_over AS (
        SELECT id FROM concerned WHERE id NOT IN (SELECT id FROM held)
    ), failing AS (
        SELECT h.id, h.state AS before, r.succeeded, r.gone, r.held, r.why,
               CASE WHEN r.succeeded THEN 0 ELSE h.failures END + r.failures AS failures,
               CASE WHEN NOT r.succeeded THEN coalesce(h.failing_since, now())
                    WHEN r.failures > 0 THEN now() END AS failing_since
        FROM held h JOIN run r ON r.id = h.id
    ), counted AS (
        SELECT *, extract(epoch FROM now() - failing_since)::double precision AS failing_for FROM failing
    ), decided AS (
        UPDATE subscriptions s
        SET failures = c.failures, failing_since = c.failing_since,
            asked_until = CASE WHEN c.held > 0 THEN greatest(s.asked_until, now() + make_interval(secs => c.held))
                               ELSE s.asked_until END,
            probe_at = CASE WHEN c.before = 'active' THEN now() + make_interval(secs => %(probe_interval)s)
                            ELSE s.probe_at END,
            state = CASE WHEN c.gone AND c.before <> 'paused' THEN 'paused'
                         WHEN c.before = 'tripped' AND c.succeeded THEN 'active'
                         WHEN c.before = 'active'
                              AND (c.failures >= %(trip_failures)s AND c.failing_for >= %(trip_seconds)s
                                   OR c.failures >= 3 AND c.failing_for >= %(trip_quiet_seconds)s) THEN 'tripped'
                         ELSE c.before END
        FROM counted c WHERE s.id = c.id
        RETURNING s.id, s.name, s.state, s.failures, c.before, c.why
    ), turned AS (
        SELECT id, name, CASE state WHEN 'active' THEN 'resumed' ELSE state END AS what,
               CASE state WHEN 'active' THEN 'a delivery succeeded'
                          WHEN 'paused' THEN 'the receiver answered 410: gone'
                          ELSE failures || ' failures in a row, the last: ' || why END AS why
        FROM decided WHERE state <> before
    ), noted AS (
        INSERT INTO subscription_log (subscription_id, subscription, what, why) SELECT id, name, what, why FROM turned
    ), brought_forward AS (
        UPDATE outbox SET due_at = created_at
        WHERE subscription_id IN (SELECT id FROM turned WHERE what = 'resumed')
          AND state = 'due' AND lease IS NULL AND (attempts > 0 OR NOT held) AND due_at > created_at
    )
"""
