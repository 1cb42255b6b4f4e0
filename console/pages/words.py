"""Say numbers, lengths of time and moments as people read them. Pure; templates use these as filters."""

import json
from datetime import UTC, datetime
from typing import Any

from console.report import strip_controls
from schemas.alert.alert import plain

UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
KINDS = {"confirmed_fraud": "confirmed fraud", "customer_dispute": "customer dispute"}
UNKNOWN = "\N{EN DASH}"


def say_span(seconds: float) -> str:
    """Return a length of time: "2 d 4 h", "6 h 12 min", "23 h", "12 min", "48 s"; under a second "14 ms"."""
    seconds = abs(seconds)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    whole = int(seconds)
    for place, (size, name) in enumerate(UNITS):
        if whole >= size:
            count, rest = divmod(whole, size)
            following, letter = UNITS[min(place + 1, len(UNITS) - 1)]
            more = rest // following if count < 10 and place < 2 else 0
            return f"{count} {name} {more} {letter}" if more else f"{count:,} {name}"
    return "0 s"


def say_when(moment: datetime, now: datetime) -> str:
    """Return how far a moment lies from now: "3 min ago", "in 6 h 12 min", "just now"."""
    seconds = (moment - now).total_seconds()
    if abs(seconds) < 1:
        return "just now"
    return f"in {say_span(seconds)}" if seconds > 0 else f"{say_span(seconds)} ago"


def say_moment(moment: datetime) -> str:
    """Return a moment in full: date, time to the second, zone."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def read_moment(value: datetime | str) -> datetime:
    """Return a moment as rows and the API's documents give it."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def say_count(value: float | None) -> str:
    """Return a whole number with its thousands apart."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def say_rate(value: float | None) -> str:
    """Return how much a second: two decimals below one, one below a hundred."""
    if value is None:
        return UNKNOWN
    if value == 0 or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 1 else f"{value:.1f}"


def say_words(name: str) -> str:
    """Return a name of ours as words: "customer dispute"."""
    return KINDS.get(name, name.replace("_", " "))


def show_json(value: object) -> str:
    """Return a value as JSON in lines, fit for a screen."""
    return strip_controls(json.dumps(value, indent=2, ensure_ascii=False, default=plain))


def show_value(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return a value in one line; nothing known is a dash."""
    if value is None or value == "":
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list):
        return strip_controls(json.dumps(value, ensure_ascii=False, default=plain))
    return strip_controls(str(plain(value)))
