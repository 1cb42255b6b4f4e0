"""What is told of a field that could not be read: never more of it than may be shown."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from schemas.alert.cards import mask_cards

_SHOWN = 100
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Problem:
    """A field that could not be read, or not wholly. `value` is cut to 100 characters, card numbers masked."""

    field: str
    value: str
    why: str


def show_value(value: object, fact: str = "") -> str:
    """Return a value as a problem may show it: at most 100 characters, storable, no card number, nothing nested."""
    match value:
        case Mapping():
            return "(an object)"
        case list():
            return "(a list)"
        case bool():
            return "true" if value else "false"
        case str():
            # More than is shown: a card number that begins within must be seen whole to be known as one.
            text = value[: 2 * _SHOWN]
        case Decimal():
            text = str(value)[: 2 * _SHOWN]
        case _:
            return f"({type(value).__name__})"
    text = replace_unstorable(text)
    return (re.sub(r"\d", "*", text) if fact == "card_number" else mask_cards(text))[:_SHOWN]


def replace_unstorable(text: str) -> str:
    """Return the text without what PostgreSQL cannot store (NUL, lone surrogates): U+FFFD stands in its place."""
    return text if _UNSTORABLE.search(text) is None else _UNSTORABLE.sub("\ufffd", text)
