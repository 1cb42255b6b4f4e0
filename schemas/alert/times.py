"""Times: from what senders write to one form, UTC ISO 8601 with milliseconds, and back."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

# Milliseconds since the epoch: the end of the year 9999, which PostgreSQL and Python both can hold.
LATEST = 253_402_300_799_999
_STARTS_WITH_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?![^ T])")


def iso_time(moment: datetime) -> str:
    """Return an aware datetime as UTC ISO 8601 with milliseconds and Z: the form of every time in facts and rows."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


# A batch tells several times of each of its moments, and its pushes came many a second.
@lru_cache(maxsize=4096)
def iso_milliseconds(milliseconds: int) -> str:
    """Return milliseconds since the epoch in the same form. What no datetime can hold becomes the nearest it can."""
    seconds, rest = divmod(min(max(milliseconds, 0), LATEST), 1000)
    return f"{_iso_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=1024)
def _iso_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[: -len("+00:00")]


class UnreadableTime(ValueError):
    """The text is no time. The message says why, without quoting it."""


def normalize_time(text: str, zone: tzinfo) -> str:
    """Return an ISO 8601 time as UTC with milliseconds: 2026-11-19T09:30:00-05:00 -> 2026-11-19T14:30:00.000Z.

    A space may stand for the T, a bare date is its midnight, a fraction may have any length (cut to milliseconds, not
    rounded). What carries no zone is in `zone`; of a local time that occurs twice the first is meant. Raises
    UnreadableTime, also for a year outside 1 to 9999.
    """
    text = text.strip().upper()
    if not text.isascii():
        raise UnreadableTime("not an ISO 8601 time")
    # The standard library also reads week dates, compact dates and digits that may be a count of seconds.
    if _STARTS_WITH_DATE.match(text) is None:
        raise UnreadableTime("not an ISO 8601 time")
    try:
        moment = datetime.fromisoformat(text)
        if len(text) == 24 and text[10] == "T" and text[19] == "." and text[23] == "Z":
            return text
        return iso_time(moment if moment.tzinfo is not None else moment.replace(tzinfo=zone))
    except ValueError as error:
        raise UnreadableTime("not a time of an ISO 8601 calendar") from error
    except OverflowError as error:
        raise UnreadableTime("a time outside the years 1 to 9999") from error


def add_hours(time: str, hours: float) -> str | None:
    """Return the time so many hours after `time` (in the canonical form), or None beyond the year 9999."""
    try:
        return iso_time(parse_time(time) + timedelta(hours=hours))
    except OverflowError:
        return None


def hours_until(time: str, now: datetime) -> int:
    """Return how many whole hours are left until `time`, 0 when it is past."""
    return max(0, int((parse_time(time) - now).total_seconds() // 3600))


def parse_time(time: str) -> datetime:
    """Read a time in the canonical form."""
    moment = datetime.fromisoformat(time)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
