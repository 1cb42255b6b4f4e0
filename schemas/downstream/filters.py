"""Which alerts a subscription wants: a filter holds what an alert must have; what it leaves open, any alert has.

An alert of which the asked field is not known does not fit: who asks for one merchant must not get another's alerts.
"""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

import msgspec
from msgspec import Struct

from schemas.alert.alert import Alert
from schemas.alert.vocabulary import KINDS

MAX_VALUES = 1000
ALL_KINDS = tuple(dict.fromkeys(KINDS.values()))


class Filters(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What is wanted of an alert; an empty tuple or None leaves it open. The column `subscriptions.filters`.

    providers   networks: "ethoca", "verifi", ...
    kinds       "confirmed_fraud", "customer_dispute", "other"
    merchants   merchant ids, exactly as alerts have them
    currencies  ISO 4217 codes
    sources     names of configured sources: the doors that the alert first came through
    min_amount  the smallest and
    max_amount  the largest amount wanted, whatever the currency; in decimals, as the alert's own amount
    """

    providers: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    merchants: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    min_amount: Decimal | None = None
    max_amount: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse what no alert could ever fit."""
        for name in ("providers", "kinds", "merchants", "currencies", "sources"):
            values = getattr(self, name)
            if len(values) > MAX_VALUES or not all(value and value == value.strip() for value in values):
                raise ValueError(f"{name}: at most {MAX_VALUES} values, none of them empty")
        for name in ("min_amount", "max_amount"):
            amount = getattr(self, name)
            if amount is not None and not (amount.is_finite() and amount >= 0):
                raise ValueError(f"{name}: an amount is a decimal number, 0 or more")
        if self.min_amount is not None and self.max_amount is not None and self.min_amount > self.max_amount:
            raise ValueError("min_amount: more than max_amount")

    def admit(self, alert: Alert) -> bool:
        """Say whether the alert is wanted, as it stands now."""
        facts = alert.facts
        return (
            holds(self.providers, alert.network)
            and holds(self.kinds, alert.kind)
            and holds(self.currencies, facts.get("currency"))
            and (not self.merchants or facts.get("merchant_id") in self.merchants)
            and (not self.sources or alert.source in self.sources)
            and self.admits_amount(facts.get("amount"))
        )

    def admits_amount(self, amount: str | None) -> bool:
        """Say whether an amount lies in the range; one that is not known lies in none."""
        if self.min_amount is None and self.max_amount is None:
            return True
        try:
            value = Decimal(amount or "")
        except InvalidOperation:
            return False
        return (self.min_amount is None or value >= self.min_amount) and (
            self.max_amount is None or value <= self.max_amount
        )


EVERYTHING = Filters()


def holds(wanted: Iterable[str], value: str | None) -> bool:
    """Say whether `value` is among those wanted, in whichever case it is written, or none in particular is wanted."""
    wanted = tuple(wanted)
    return not wanted or (value is not None and value.casefold() in {one.casefold() for one in wanted})


def check_kinds(kinds: Iterable[str]) -> None:
    """Raise ValueError for a kind that no alert can be of, in whichever case it is written.

    Asked when terms are taken, not when they are read: a drain that met such a filter in a row would store nothing.
    """
    for kind in kinds:
        if not holds(ALL_KINDS, kind):
            raise ValueError(f"kinds: {kind!r} is none; there are {', '.join(ALL_KINDS)}")


def read_filters(document: object) -> Filters:
    """Read the column `subscriptions.filters`, or what an operator sent. Raises ValueError that says what is wrong."""
    return msgspec.convert(document, Filters)
