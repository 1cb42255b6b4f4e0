"""Read what a request asks for: the query string, strictly. An unknown or doubled parameter is an error.

A filter that was misspelt and passed over would answer with everything.
"""

from collections.abc import Collection
from dataclasses import fields
from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal

from werkzeug.datastructures import MultiDict

from console.alerts.queries import Wanted
from console.moments import parse_moment
from console.paging import MAX_LIMIT
from console.web.problem import Problem

DEFAULT_LIMIT = 100
MAX_LENGTH = 1000
PAGING = frozenset({"limit", "cursor"})  # what every list can be asked

Query = MultiDict[str, str]


def read_query(query: Query, known: Collection[str]) -> dict[str, str]:
    """Return the parameters, each once, empty ones left out. Raises Problem."""
    for name, values in query.lists():
        if name not in known:
            raise refuse(f"{name[:50]}: unknown parameter; known here: {', '.join(sorted(known))}")
        if len(values) > 1:
            raise refuse(f"{name}: given more than once")
        if len(values[0]) > MAX_LENGTH or not all(" " <= character < "\ud800" for character in values[0]):
            raise refuse(f"{name}: too long, or not plain text")
    return {name: value for name, value in query.items() if value}


def read_wanted(asked: dict[str, str]) -> Wanted:
    """Return the filters on alerts. Raises Problem."""
    values: dict[str, Any] = {field.name: asked.get(field.name) for field in fields(Wanted)}
    for name in ("received_after", "received_before"):
        values[name] = read_time(name, asked.get(name))
    return Wanted(**values)


def read_time(name: str, text: str | None) -> datetime | None:
    """Return a point in time. Raises Problem."""
    try:
        return parse_moment(text) if text else None
    except ValueError as error:
        raise refuse(f"{name}: {error}") from error


def read_limit(asked: dict[str, str]) -> int:
    """Return how many rows are asked for at most. Raises Problem."""
    text = asked.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= MAX_LIMIT):
        raise refuse(f"limit: a number from 1 to {MAX_LIMIT}")
    return int(text)


def read_order(asked: dict[str, str]) -> Literal["oldest", "newest"]:
    """Return the order asked for. Raises Problem."""
    match asked.get("order", "oldest"):
        case "oldest":
            return "oldest"
        case "newest":
            return "newest"
        case _:
            raise refuse("order: oldest or newest")


def read_choice(asked: dict[str, str], name: str, choices: Collection[str]) -> str | None:
    """Return one of the choices, or None when it is not asked for. Raises Problem."""
    value = asked.get(name)
    if value is not None and value not in choices:
        raise refuse(f"{name}: one of {', '.join(choices)}")
    return value


def refuse(detail: str) -> Problem:
    """Return the problem of a request that asks for what cannot be."""
    return Problem(HTTPStatus.BAD_REQUEST, detail)
