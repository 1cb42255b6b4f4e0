"""The options of `alert-intake subscriptions add` and `change`: one for each term, none of them required."""

import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from console.unreachable import Refused

FILTERS = ("providers", "kinds", "merchants", "currencies", "sources", "min_amount", "max_amount")


class Amount(click.ParamType[str]):
    """A decimal number."""

    name = "decimal"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text of the number."""
        try:
            return format(Decimal(str(value)), "f")
        except (ArithmeticError, ValueError):
            self.fail(f"{value!r} is no decimal number", param, ctx)


OPTIONS = (
    click.option("--event", "events", multiple=True,
                 help="An event wanted, or a pattern such as alert.* or *; may be repeated.  [default: alert.created, "
                      "alert.resolved]"),
    click.option("--provider", "providers", multiple=True, help="Only alerts of this network; may be repeated."),
    click.option("--kind", "kinds", multiple=True, help="Only alerts of this kind; may be repeated."),
    click.option("--merchant", "merchants", multiple=True, help="Only alerts of this merchant id; may be repeated."),
    click.option("--currency", "currencies", multiple=True, help="Only alerts in this currency; may be repeated."),
    click.option("--source", "sources", multiple=True, help="Only alerts that came by this source; may be repeated."),
    click.option("--min-amount", type=Amount(), help="Only alerts of at least this amount."),
    click.option("--max-amount", type=Amount(), help="Only alerts of at most this amount."),
    click.option("--leave-out", multiple=True, metavar="NAME",
                 help="Leave out a key of the payload, enrichment or enrichment.NAME; may be repeated."),
    click.option("--personal-data/--no-personal-data", default=None,
                 help="Whether descriptorContact goes out.  [default: no]"),
    click.option("--rate-limit", type=float, metavar="N", help="At most so many deliveries a second; 0 for no limit."),
    click.option("--concurrency", type=int, metavar="N", help="At most so many deliveries at once; 0 for the usual."),
    click.option("--timeout", type=float, metavar="SECONDS", help="For one delivery; 0 for the usual."),
    click.option("--basic", metavar="USER:PASSWORD",
                 help="HTTP Basic towards the service; @FILE reads it from a file."),
    click.option("--header", "headers", multiple=True, metavar="NAME:VALUE",
                 help="A header, such as X-API-Key:...; @FILE reads it from a file. May be repeated."),
    click.option("--description", help="For people."),
)  # fmt: skip


def taking_terms(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of all terms."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def read_given(given: dict[str, Any]) -> dict[str, Any]:
    """Return the terms that were given, as console.downstream.terms.Terms names them; what was not is not in it."""
    terms = {name: value for name, value in given.items() if name not in FILTERS and value not in (None, ())}
    for name in ("rate_limit", "concurrency", "timeout"):
        if terms.get(name) == 0:
            terms[name] = None
    return terms


def read_filters_given(given: dict[str, Any]) -> dict[str, Any]:
    """Return the filters that were given."""
    return {name: given[name] for name in FILTERS if given[name] not in (None, ())}


def read_proof_given(basic: str | None, headers: Sequence[str]) -> dict[str, Any]:
    """Return the credentials that were given, as Proof names them. Raises Refused, quoting no secret."""
    proof: dict[str, Any] = {}
    if basic:
        user, colon, password = read_option("--basic", basic).partition(":")
        if not (user and colon):
            raise Refused("--basic: USER:PASSWORD is needed")
        proof["basic"] = {"user": user, "password": password}
    if headers:
        proof["headers"] = dict(map(read_header, headers))
    return proof


def read_header(given: str) -> tuple[str, str]:
    """Return name and value of a header given as ``NAME:VALUE``, as ``NAME:@FILE``, or as a file that holds both."""
    name, colon, value = (part.strip() for part in read_option("--header", given).partition(":"))
    if not colon:
        raise Refused("--header: NAME:VALUE is needed")
    return name, value if given.startswith("@") else read_option("--header", value)


def read_option(option: str, value: str) -> str:
    """Return the value of an option, from a file when it is ``@FILE``: arguments can be seen by every local user.

    ``@-`` is standard input.
    """
    if not value.startswith("@"):
        return value
    if value == "@-":
        return sys.stdin.read().strip()
    try:
        return Path(value[1:]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{option}: {value[1:]} cannot be read ({type(error).__name__})") from error
