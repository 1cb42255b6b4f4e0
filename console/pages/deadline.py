"""How urgent an alert is: what is left of the time to respond. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from console.alerts.triples import UNANSWERED
from console.pages.words import read_moment, say_span

Level = Literal["closed", "passed", "urgent", "soon", "ahead", "none"]

URGENT_SECONDS = 4 * 3600.0
SOON_SECONDS = 8 * 3600.0


@dataclass(frozen=True, slots=True)
class Deadline:
    """What is left, and in words: "2 h 5 min left". `at` is None when the alert has no deadline."""

    level: Level
    text: str
    at: datetime | None = None


def tell_deadline(alert: dict[str, Any], now: datetime) -> Deadline:
    """Return how urgent an alert, as the API presents it, is."""
    if alert["respond_by"] is None:
        return Deadline("none", "no deadline")
    at = read_moment(alert["respond_by"])
    seconds = (at - now).total_seconds()
    if alert["status"] not in UNANSWERED:
        return Deadline("closed", alert["status"].replace("_", " "), at)
    if seconds <= 0:
        return Deadline("passed", f"passed {say_span(seconds)} ago", at)
    level: Level = "urgent" if seconds < URGENT_SECONDS else "soon" if seconds < SOON_SECONDS else "ahead"
    return Deadline(level, f"{say_span(seconds)} left", at)
