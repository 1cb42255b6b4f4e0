"""Gather the fields of a message under their canonical names, however it spells them."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from schemas.alert.problem import Problem, show_value
from schemas.alert.vocabulary import ALIASES, LONGEST_NAME, MONEY, MONEY_CURRENCY, MONEY_VALUE
from schemas.formats.document import plain_name

_FACT_OF = {plain_name(spelling): fact for fact, spellings in ALIASES.items() for spelling in spellings}
_RANK = {plain_name(spelling): rank for spellings in ALIASES.values() for rank, spelling in enumerate(spellings)}
# The same for names as they are mostly written, so that these need not be folded.
_FACT_SPELT = {
    written: fact
    for fact, spellings in ALIASES.items()
    for spelling in spellings
    for pascal in ["".join(word.capitalize() for word in spelling.split("_"))]
    for written in (spelling, pascal, pascal[0].lower() + pascal[1:])
}


@lru_cache(maxsize=4096)
def fact_of(name: str) -> str | None:
    """Return what a sender's field name stands for, or None: then the field is not taken."""
    return None if len(name) > LONGEST_NAME else _FACT_OF.get(plain_name(name))


def gather_facts(fields: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """Return the fields under their canonical names, their values as sent. What is null, empty or blank is left out.

    Of two spellings of one thing the preferred one wins; when they disagree the other is listed in `problems`.
    """
    found: dict[str, Any] = {}
    names: dict[str, str] = {}
    for name, value in fields.items():
        if value is None or (type(value) is str and (not value or value.isspace())):
            continue
        fact = _FACT_SPELT.get(name) or fact_of(name[: LONGEST_NAME + 1])
        if fact is None:
            continue
        if fact in found:
            name, value, other = _prefer(name, value, names[fact], found[fact])
            if other != value:
                problems.append(Problem(fact, show_value(other, fact), "given twice under different names"))
        found[fact] = value
        names[fact] = name
    for amount, currency in MONEY.items():
        if type(found.get(amount)) is dict:
            _split_money(found, amount, currency, problems)
    return found


def _prefer(name: str, value: object, other_name: str, other: object) -> tuple[str, Any, Any]:
    """Return the winner's name and value, and the loser's value."""
    if _order(other_name) <= _order(name):
        return other_name, other, value
    return name, value, other


def _order(name: str) -> tuple[int, str]:
    return _RANK[plain_name(name)], name


def _split_money(found: dict[str, Any], amount: str, currency: str, problems: list[Problem]) -> None:
    parts = {plain_name(name): part for name, part in found[amount].items() if len(name) <= LONGEST_NAME}
    value = _first(parts, MONEY_VALUE)
    code = _first(parts, MONEY_CURRENCY)
    if value is None:
        if any(part is not None for part in parts.values()):
            problems.append(Problem(amount, "(an object)", "an object without a value"))
        del found[amount]
    else:
        found[amount] = value
    if code is not None:
        if found.get(currency, code) != code:
            problems.append(Problem(currency, show_value(found[currency]), "differs from the currency of the amount"))
        found[currency] = code


def _first(parts: Mapping[str, Any], names: Iterable[str]) -> object:
    return next((parts[name] for name in names if parts.get(name) not in (None, "")), None)
