"""The marshmallow fields of an alert. Each reads what senders really send, and says what it could not read.

A field that cannot be read raises ValidationError: it stays absent and is listed. One that can be read with a
reservation raises `Kept`, by which marshmallow keeps the value and lists why. Nothing here rejects an alert.
Values come from `document.parse_json`: integers are str, other numbers Decimal.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

from marshmallow import ValidationError, fields

from schemas.alert.cards import LONGEST, mask_cards
from schemas.alert.problem import replace_unstorable
from schemas.alert.vocabulary import plain_word

TEXT_LIMIT = 1000
# An indexed column: PostgreSQL refuses index rows over 2704 bytes, and a character may take four.
INDEXED_LIMIT = 255
LONGEST_CARD = LONGEST + 3 * (LONGEST - 1)


class Kept(ValidationError):
    """The value is kept as it is given here, and listed among the problems all the same."""

    def __init__(self, value: str, why: str) -> None:
        super().__init__(why)
        self.value = value
        # marshmallow's own `load` keeps whatever stands here; its annotation names only what Nested fields put there.
        self.valid_data = cast("Any", value)


class Fact(fields.Field[str]):
    """One fact as text. Its schema is loaded with `partial`, so that only what was sent comes here, and never null."""

    def deserialize(
        self, value: object, attr: str | None = None, data: Mapping[str, Any] | None = None, **kwargs: object
    ) -> str:
        """Read at once: what marshmallow does around it (missing, null, hooks, validators) is not used and costly."""
        del attr, data, kwargs
        return self.read(value)

    def read(self, value: object) -> str:
        """Return the value as canonical text. Raises ValidationError, or Kept."""
        raise NotImplementedError


class Text(Fact):
    """Any text, without the blanks around it; a number as it was written. Longer than `limit` characters: cut."""

    def __init__(self, limit: int = TEXT_LIMIT) -> None:
        super().__init__()
        self.limit = limit

    def read(self, value: object) -> str:  # noqa: D102 - see Fact
        text = value.strip() if type(value) is str else read_text(value)
        if len(text) <= self.limit and text.isascii() and "\0" not in text:
            return text
        storable = replace_unstorable(text)
        if len(storable) > self.limit:
            # Masked before it is cut, so that no part of a card number is left at the end.
            raise Kept(
                mask_cards(storable[: self.limit + LONGEST_CARD])[: self.limit], f"cut to {self.limit} characters"
            )
        if storable is not text:
            raise Kept(storable, "characters that cannot be stored were replaced")
        return text


class Word(Fact):
    """A word of a vocabulary. One that it does not know is kept and listed; over 64 characters it is no word."""

    def __init__(self, words: Mapping[str, str], *, lower: bool = True) -> None:
        super().__init__()
        self.words = words
        self.lower = lower

    def read(self, value: object) -> str:  # noqa: D102 - see Fact
        text = ("true" if value else "false") if isinstance(value, bool) else read_text(value)
        if len(text) > 64:
            raise ValidationError("longer than 64 characters")
        known = self.words.get(text) or self.words.get(plain_word(text))
        if known is None:
            raise Kept(replace_unstorable(text.lower() if self.lower else text), "not a known word")
        return known


class Digits(Fact):
    """From `shortest` to `longest` digits, kept as text."""

    def __init__(self, shortest: int, longest: int) -> None:
        super().__init__()
        self.shortest = shortest
        self.longest = longest

    def read(self, value: object) -> str:  # noqa: D102 - see Fact
        text = read_text(value)
        if not self.shortest <= len(text) <= self.longest or not text.isascii() or not text.isdigit():
            wanted = f"{self.shortest} to {self.longest}" if self.shortest < self.longest else str(self.shortest)
            raise ValidationError(f"not {wanted} digits")
        return text


def read_text(value: object) -> str:
    """Return a string without the blanks around it, or a number as text. Raises ValidationError for anything else."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Decimal) and value.is_finite():
        text = str(value)
        if "E" not in text:
            return text
        raise ValidationError("a number with an exponent where text is expected")
    raise ValidationError(f"not text but {name_type(value)}")


def name_type(value: object) -> str:
    """Name the JSON type of a value, for a sentence."""
    match value:
        case bool():
            return "true or false"
        case dict():
            return "an object"
        case list():
            return "a list"
        case Decimal():
            return "a number out of range"
        case _:
            return "something else"
