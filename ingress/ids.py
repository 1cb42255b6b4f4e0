"""The door's one look into a body: which alerts are in it, and by what ids. Nothing else of an alert is its business.

The look is orjson's, in microseconds. Where orjson might see something else than the workers' reading
(`schemas.formats.document`) it is not believed: what it refuses, and ids that are numbers, are read again the workers'
way. So what the door acknowledges, the workers can keep.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from schemas.formats.document import (
    ID_FIELDS,
    MAX_DEPTH,
    NotAnAlert,
    alert_fields,
    alert_id,
    depth_of,
    plain_name,
    read_document,
    split_alerts,
)
from schemas.settings.sources import Format, Source

NUMBERS = {int, float}  # true and false are none, and no id either way


@dataclass(frozen=True, slots=True)
class Look:
    """What the door saw: the id of each alert in order, None where it has no usable one.

    `unreadable` says why the body holds no alerts at all; then `ids` is empty.
    """

    ids: tuple[str | None, ...]
    listed: bool = False
    unreadable: str | None = None


def look_at_ids(body: bytes, source: Source) -> Look:
    """Find the ids in a body. Never raises over a body, whatever it holds."""
    try:
        alerts, listed = find_quickly(body, source.format) or split_alerts(read_document(body, source)[0])
    except NotAnAlert as reason:
        return Look((), unreadable=str(reason))
    return Look(tuple([alert_id(alert, source.format) for alert in alerts]), listed)


def find_quickly(body: bytes, form: Format) -> tuple[list[Any], bool] | None:
    """Return the alerts of a body and whether it lists them, or None when it has to be read the workers' way."""
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and depth_of(body) > MAX_DEPTH:
        return None
    try:
        alerts, listed = split_alerts(orjson.loads(body))
    except (orjson.JSONDecodeError, NotAnAlert):
        return None
    return None if any(has_number_as_id(alert, form) for alert in alerts) else (alerts, listed)


def has_number_as_id(alert: object, form: Format) -> bool:
    """Say whether an id is a number: orjson loses digits of large ones, and the sign of -0."""
    fields = alert_fields(alert, form)
    if fields is None:
        return False
    numbers = [name for name, value in fields.items() if type(value) in NUMBERS]
    return any(plain_name(name) in ID_FIELDS[form] for name in numbers)
