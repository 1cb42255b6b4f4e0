"""Report: what is told of deliveries, in the log and wherever else they are counted. Here and nowhere else."""

from collections.abc import Sequence

import structlog

from workers.delivery.circuit import Turn
from workers.delivery.metrics import count_attempts
from workers.delivery.record import Attempt
from workers.telemetry.logs import LINES

log = structlog.get_logger()


def report_attempts(attempts: Sequence[Attempt], turns: Sequence[Turn]) -> None:
    """Count attempts and turns, and log them."""
    count_attempts(attempts, turns)
    with LINES.together():
        tell_attempts(attempts, turns)


def tell_attempts(attempts: Sequence[Attempt], turns: Sequence[Turn]) -> None:
    """One wide line per delivery: ids and numbers, never a URL, a header or a body. And one per turn."""
    for attempt in attempts:
        item, answer, outcome = attempt.item, attempt.answer, attempt.outcome
        log.info(
            "delivery_attempted",
            request_id=(item.alert.get("origin") or {}).get("request_id"),
            webhook_id=item.outbox_id,
            alert_id=item.alert_id,
            subscription=item.subscription,
            alert_event=item.event,
            attempt=item.attempts,
            probe=item.probe,
            verdict=outcome.verdict,
            status=answer.status,
            error=answer.error,
            ms=round(answer.milliseconds, 1),
            next_in=None if outcome.wait is None else round(outcome.wait, 1),
        )
    for turn in turns:
        level = log.info if turn.what == "resumed" else log.error
        level(f"subscription_{turn.what}", subscription=turn.subscription, why=turn.why)
