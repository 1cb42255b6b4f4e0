"""Read a point in time as people and programs write it into a filter."""

import re
from datetime import UTC, datetime

# A `+` in a query string that was not escaped arrives as a space.
_UNESCAPED_ZONE = re.compile(r" (\d\d:?\d\d)$")


def parse_moment(text: str) -> datetime:
    """Parse ISO 8601 (a bare date is its midnight, without a zone UTC is meant). Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(_UNESCAPED_ZONE.sub(r"+\1", text))
        except ValueError as error:
            raise ValueError("not a time in ISO 8601, such as 2026-11-20T17:11:05Z") from error
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("not a time in ISO 8601, such as 2026-11-20T17:11:05Z") from error
