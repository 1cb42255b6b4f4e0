"""The marshmallow fields for values with a form of their own: money, currencies, times, card numbers."""

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from marshmallow import ValidationError

from schemas.alert.cards import LONGEST, SHORTEST
from schemas.alert.money import UnreadableAmount, normalize_amount
from schemas.alert.times import UnreadableTime, normalize_time
from schemas.formats.fields import LONGEST_CARD, Fact, name_type, read_text

if TYPE_CHECKING:
    from datetime import tzinfo

_SEPARATORS = re.compile(r"[\s\-]+")
_MASKED_CARD = re.compile(r"([0-9]{0,8})[*xX#•]+([0-9]{0,4})")


class Money(Fact):
    """An amount of money as plain decimal text, 0 or more."""

    def read(self, value: object) -> str:  # noqa: D102 - see Fact
        if not isinstance(value, str | Decimal):
            raise ValidationError(f"not an amount but {name_type(value)}")
        try:
            return normalize_amount(value)
        except UnreadableAmount as error:
            raise ValidationError(str(error)) from error


class Currency(Fact):
    """A currency by the three letters of ISO 4217, upper case."""

    def read(self, value: object) -> str:  # noqa: D102 - see Fact
        text = read_text(value)
        if len(text) != 3 or not text.isascii() or not text.isalpha():
            raise ValidationError("not three letters")
        return text.upper()


class Time(Fact):
    """A time as UTC ISO 8601 with milliseconds. The schema that holds the field knows the zone of times without one."""

    zone: "tzinfo"

    def read(self, value: object) -> str:  # noqa: D102 - see Fact
        if not isinstance(value, str):
            raise ValidationError(f"not a time but {name_type(value)}")
        try:
            return normalize_time(value, self.zone)
        except UnreadableTime as error:
            raise ValidationError(str(error)) from error


class CardNumber(Fact):
    """A card number as 13 to 19 digits, or one already masked, as its clear digits around one asterisk."""

    def read(self, value: object) -> str:  # noqa: D102 - see Fact
        text = read_text(value)
        if len(text) > LONGEST_CARD:
            raise ValidationError(f"not {SHORTEST} to {LONGEST} digits")
        text = _SEPARATORS.sub("", text)
        if SHORTEST <= len(text) <= LONGEST and text.isascii() and text.isdigit():
            return text
        masked = _MASKED_CARD.fullmatch(text)
        if masked is None:
            raise ValidationError(f"not {SHORTEST} to {LONGEST} digits")
        return f"{masked[1]}*{masked[2]}"
