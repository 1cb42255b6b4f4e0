"""Pages of lists, and cursors: where a list was left, as text that clients pass back and do not read."""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import UUID

import orjson

MAX_LIMIT = 500  # rows of a page
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


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
    values: list[Any] | None = place[1:] if isinstance(place, list) and place[:1] == [kind] else None
    if values is None or [type(value) for value in values] != list(types):
        raise BadCursor(f"cursor: not a cursor of {quote(kind)}")
    if any(isinstance(value, str) and has_controls(value) for value in values):
        raise BadCursor(f"cursor: not a cursor of {quote(kind)}")
    return values


def check_place(kind: str, place: int, last: int) -> None:
    """Refuse a place beyond the last that was ever given. Raises BadCursor.

    It comes from another database, or from before an older backup was restored: waiting there would skip what is new.
    """
    if place > last:
        raise BadCursor(f"cursor: beyond the end of {quote(kind)}; it is of another database, or of one since restored")


def has_controls(text: str) -> bool:
    """Tell whether a text holds control characters: no name of ours does, and PostgreSQL takes no NUL."""
    return _CONTROL.search(text) is not None


def parse_uuid(text: str) -> UUID | None:
    """Return the UUID that the text is, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None
