"""Pages of lists, and cursors: where a list was left, as text that clients pass back and do not read."""

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import UUID

import orjson

MAX_LIMIT = 500  # rows of a page


class BadCursor(ValueError):
    """The text is no cursor of this list."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list. `next_cursor` is None at its end; `resume_cursor` is where to look later for what is new."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    next_cursor: str | None = None
    resume_cursor: str | None = None


def write_cursor(kind: str, *place: str | int) -> str:
    """Encode a place in the list `kind`: the sort key of the last row given out."""
    return base64.urlsafe_b64encode(orjson.dumps([kind, *place])).decode().rstrip("=")


def read_cursor(kind: str, text: str, *types: type) -> list[Any]:
    """Decode a cursor of the list `kind` whose place has values of these types. Raises BadCursor."""
    try:
        place = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise BadCursor(f"cursor: not a cursor of {quote(kind)}") from error
    if not isinstance(place, list) or place[:1] != [kind] or [type(value) for value in place[1:]] != list(types):
        raise BadCursor(f"cursor: not a cursor of {quote(kind)}")
    return place[1:]


def check_place(kind: str, place: int, last: int) -> None:
    """Refuse a place beyond the last that was ever given. Raises BadCursor.

    It comes from another database, or from before an older backup was restored: waiting there would skip what is new.
    """
    if place > last:
        raise BadCursor(f"cursor: beyond the end of {quote(kind)}; it is of another database, or of one since restored")


def parse_uuid(text: str) -> UUID | None:
    """Return the UUID that the text is, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None
