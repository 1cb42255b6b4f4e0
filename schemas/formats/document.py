"""Read a body as JSON, strictly and within bounds, and find the alerts in it: the reading door and workers share."""

import json
from decimal import Decimal, InvalidOperation
from itertools import accumulate
from typing import Any

from schemas.formats.repair import quote_bare_uuids
from schemas.settings.sources import Format, Source

MAX_DEPTH = 64
MAX_ID = 255

# In order of preference when one alert names several: the first spelling found wins, so door and workers agree.
ID_FIELDS: dict[Format, frozenset[str]] = {
    "ethoca": frozenset({"alertid", "ethocaid"}),
    "reseller": frozenset({"providerid"}),
}
EXACT_ID: dict[Format, str] = {"ethoca": "alertId", "reseller": "providerId"}

STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # as signed bytes: 1 and -1
NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))


class NotAnAlert(Exception):
    """The body holds no alert that could be kept as one. The message says why, without quoting the body."""


def plain_name(name: str) -> str:
    """Fold the three casings (camelCase, PascalCase, snake_case) of a field name into one."""
    return name.replace("_", "").replace("-", "").lower()


def parse_json(body: bytes) -> Any:  # noqa: ANN401 - a JSON document is of any type
    """Parse strict UTF-8 JSON: integers as str (ids keep their digits), other numbers as Decimal. Raises NotAnAlert.

    The last of two equal keys wins. A byte order mark is let pass (RFC 8259, 8.1). NaN and Infinity are no JSON.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotAnAlert("the body is not UTF-8") from error
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and depth_of(body) > MAX_DEPTH:
        raise NotAnAlert(f"the body is nested more than {MAX_DEPTH} levels deep")
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise NotAnAlert("the body is not valid JSON") from error


def read_document(body: bytes, source: Source) -> tuple[Any, bool]:
    """Parse the body, with the source's named repair if strict parsing fails. Return it and whether it was repaired."""
    try:
        return parse_json(body), False
    except NotAnAlert:
        if source.repair == "none":
            raise
        repaired = quote_bare_uuids(body)
        if repaired is None:
            raise
        return parse_json(repaired), True


def split_alerts(document: Any) -> tuple[list[Any], bool]:  # noqa: ANN401 - see parse_json
    """Return the alerts of a document, and whether it is a list of them (a list, or an object with a list `alerts`)."""
    if isinstance(document, dict):
        listed = document.get("alerts", document.get("Alerts"))
        if not isinstance(listed, list) or (not listed and len(document) > 1):
            if not document:
                raise NotAnAlert("the body is an empty object")
            return [document], False
        document = listed
    if not isinstance(document, list):
        raise NotAnAlert("the body is neither an object nor a list")
    if not document:
        raise NotAnAlert("the body lists no alert")
    return document, True


def alert_fields(item: Any, form: Format) -> dict[str, Any] | None:  # noqa: ANN401 - see parse_json
    """Return the object that holds an alert's own fields: the item itself, or a reseller's `payload`."""
    if form == "reseller" and isinstance(item, dict):
        payload = item.get("payload", item.get("Payload"))
        if isinstance(payload, dict):
            item = payload
    return item if isinstance(item, dict) else None


def alert_id(item: Any, form: Format) -> str | None:  # noqa: ANN401 - see parse_json
    """Return the network's alert id of one item, or None when it has no usable one."""
    fields = alert_fields(item, form)
    if fields is None:
        return None
    exact = usable_id(fields.get(EXACT_ID[form]))
    if exact is not None:
        return exact
    for name, value in fields.items():
        if plain_name(name) in ID_FIELDS[form]:
            usable = usable_id(value)
            if usable is not None:
                return usable
    return None


def usable_id(value: object) -> str | None:
    """Return a usable id as text: a string or an integer, 1 to 255 characters, storable (no NUL, no lone surrogate)."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID or "\0" in value:
        return None
    return value if value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value) else None


def depth_of(body: bytes) -> int:
    """Return how deep the brackets of a body are nested, strings left out. It takes no longer for what is no JSON."""
    parts = body.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')  # now each quote begins or ends a string
    steps = b"".join(parts[::2]).translate(STEPS, NO_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b"), initial=0))


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond what Decimal can hold
        return Decimal("NaN")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_float=_decimal, parse_int=str, parse_constant=_refuse_constant)
