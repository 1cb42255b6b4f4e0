"""What an enricher from outside may add: a small JSON object, storable, without card numbers."""

from collections.abc import Mapping
from typing import Any

import orjson

from schemas.alert.cards import SHORTEST, is_card_number, mask_cards
from schemas.alert.problem import replace_unstorable

MOST_BYTES = 16 * 1024
DEEPEST = 20


class UnusableAddition(Exception):
    """What an enricher gave cannot be kept. The message says why, without quoting it."""


def check_additions(given: object) -> dict[str, Any]:
    """Return what was given as plain JSON, its card numbers masked. Raises UnusableAddition."""
    if not isinstance(given, Mapping):
        raise UnusableAddition("not a mapping")
    try:
        text = orjson.dumps(dict(given))
    except TypeError as error:
        raise UnusableAddition("not JSON") from error
    if len(text) > MOST_BYTES:
        raise UnusableAddition(f"more than {MOST_BYTES} bytes")
    checked: dict[str, Any] = clean(orjson.loads(text), 1)
    return checked


def clean(value: object, depth: int) -> Any:  # noqa: ANN401 - JSON is of any type
    """Return JSON without what PostgreSQL cannot store and without card numbers."""
    if depth > DEEPEST:
        raise UnusableAddition(f"nested more than {DEEPEST} deep")
    match value:
        case str():
            return mask_cards(replace_unstorable(value))
        case bool() | None:
            return value
        case int() if value >= 10 ** (SHORTEST - 1) and is_card_number(str(value)):
            return mask_cards(str(value))
        case list():
            return [clean(item, depth + 1) for item in value]
        case dict():
            return {clean(key, depth): clean(item, depth + 1) for key, item in value.items()}
        case _:
            return value
