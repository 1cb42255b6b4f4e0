"""The retry policy: what an answer means, and when the next attempt is due. Values only.

answer                                    meaning
2xx                                       done
1xx, 408, 425, 429, 5xx, none at all      again, by the schedule; `Retry-After` is honoured for this delivery, and for
                                          all to the same receiver when it comes with 429 or 503
410                                       the receiver is gone: pause the subscription, keep the item due
3xx (redirects are not followed), 4xx     final: repeating the same request would get the same answer
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from schemas.settings.forwarding import Forwarding

Verdict = Literal["done", "again", "pause", "final"]

AGAIN = frozenset({408, 425, 429})
SPEAKS_FOR_ALL = frozenset({429, 503})
LONGEST_WAIT = 86_400.0
# Whatever a receiver asks for, one delivery is tried as often as this: an alert must not wait on a slip of the pen.
LONGEST_HOLD = 300.0


@dataclass(frozen=True, slots=True)
class Answer:
    """How one attempt went. `status` is None when there was no HTTP answer; `error` then says why, without the URL.

    `text` is the beginning of the answer's body, fit to be kept. `asked`: the seconds of its `Retry-After`.
    """

    status: int | None
    milliseconds: float
    error: str | None = None
    asked: float = 0.0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What follows from an attempt: the item's state, and in how many seconds it is due again.

    `spared`: the attempt does not count against the schedule.
    """

    verdict: Verdict
    state: Literal["delivered", "due", "given_up"]
    wait: float | None = None
    spared: bool = False


def judge_answer(status: int | None) -> Verdict:
    """Say what an answer means for the item."""
    if status is None or status < 200 or status in AGAIN or status >= 500:
        return "again"
    if status < 300:
        return "done"
    return "pause" if status == 410 else "final"


def decide_outcome(attempts: int, answer: Answer, settings: Forwarding, *, probe: bool = False) -> Outcome:
    """Decide what follows from the attempt that was the `attempts`-th to count.

    Nothing is given up for what its receiver as a whole does: a failed probe and a receiver that is gone are spared.
    """
    verdict = judge_answer(answer.status)
    if verdict == "done":
        return Outcome(verdict, "delivered")
    if probe or verdict == "pause":
        return Outcome(verdict, "due", max(settings.probe_interval, answer.asked), spared=True)
    wait = next_wait(attempts, answer, settings) if verdict == "again" else None
    return Outcome(verdict, "given_up" if wait is None else "due", wait)


def next_wait(attempts: int, answer: Answer, settings: Forwarding) -> float | None:
    """Return the seconds until the next attempt after `attempts` of them, or None when the schedule is used up."""
    if attempts > len(settings.schedule):
        return None
    wait = settings.schedule[attempts - 1]
    jitter = 1 + settings.jitter * random.random()  # noqa: S311 - spreads load, guards nothing
    return max(wait * jitter, answer.asked)


def seconds_held(answer: Answer) -> float:
    """Return the seconds for which a receiver wants no delivery at all, as far as it is listened to."""
    return min(answer.asked, LONGEST_HOLD) if answer.status in SPEAKS_FOR_ALL else 0.0


def seconds_asked(retry_after: str | None, now: datetime) -> float:
    """Read a `Retry-After` header (RFC 9110, 10.2.3): seconds or a date; at most a day, 0 when absent or unreadable."""
    if not retry_after:
        return 0.0
    if retry_after.strip().isascii() and retry_after.strip().isdigit():
        return min(float(retry_after[:10]), LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return 0.0
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max((aware - now).total_seconds(), 0.0), LONGEST_WAIT)
