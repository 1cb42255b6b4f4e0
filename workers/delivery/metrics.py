"""Count attempts to deliver, and what became of subscriptions. Subscriptions go by their names, never their URLs."""

from collections.abc import Iterable

from workers.delivery.circuit import Turn
from workers.delivery.policy import Outcome
from workers.delivery.record import Attempt
from workers.telemetry import metrics


def count_attempts(attempts: Iterable[Attempt], turns: Iterable[Turn]) -> None:
    """Count attempts that are recorded, and the subscriptions that turned by them."""
    for attempt in attempts:
        subscription = metrics.name_subscription(attempt.item.subscription)
        outcome = name_outcome(attempt.outcome)
        metrics.DELIVERIES.labels(subscription, outcome).inc()
        metrics.DELIVERY_SECONDS.labels(subscription).observe(attempt.answer.milliseconds / 1000)
        if outcome == "delivered":
            waited = (attempt.attempted_at - attempt.item.occurred_at).total_seconds()
            metrics.DELIVERY_LAG.labels(subscription).observe(max(waited, 0.0))  # two clocks: it may seem negative
    for turn in turns:
        metrics.CIRCUIT.labels(metrics.name_subscription(turn.subscription), turn.what).inc()


def name_outcome(outcome: Outcome) -> str:
    """Name what follows from an attempt: delivered, postponed, given_up, or paused (the receiver answered 410)."""
    if outcome.verdict == "pause":
        return "paused"
    return "postponed" if outcome.state == "due" else outcome.state
