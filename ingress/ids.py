"""The door's one look into a body: which alerts are in it, and by what ids. Nothing else of an alert is its business.

The look is orjson's, in microseconds. Where orjson might see something else than the workers' reading
(`schemas.formats.document`) it is not believed: what it refuses, and ids that are numbers, are read again the workers'
way. So what the door acknowledges, the workers can keep.

A body may list some hundred thousand items. To look at all of them takes a while, in which others have their turns.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gevent
import orjson
from gevent.lock import Semaphore

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

TURN = 500  # items; then it is the others' turn
SOON = 1e-9  # seconds, as in ingress/listener/turns.py
LONG = Semaphore()  # of long lists one at a time is in memory, however many are pushed
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
    if body.count(b",") < TURN:
        return look(body, source)
    with LONG:
        return look(body, source)


def look(body: bytes, source: Source) -> Look:
    """Look by the quick way, or else by the workers'."""
    try:
        return find_quickly(body, source.format) or find_as_workers(body, source)
    except NotAnAlert as reason:
        return Look((), unreadable=str(reason))


def find_quickly(body: bytes, form: Format) -> Look | None:
    """Return what is in a body, or None when it has to be read the workers' way."""
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and depth_of(body) > MAX_DEPTH:
        return None
    try:
        alerts, listed = split_alerts(orjson.loads(body))
    except (orjson.JSONDecodeError, NotAnAlert):
        return None
    ids = []
    for alert in by_turns(alerts):
        if has_number_as_id(alert, form):
            return None
        ids.append(alert_id(alert, form))
    return Look(tuple(ids), listed)


def find_as_workers(body: bytes, source: Source) -> Look:
    """Return what the workers will find in a body. Raises NotAnAlert."""
    alerts, listed = split_alerts(read_document(body, source)[0])
    return Look(tuple([alert_id(alert, source.format) for alert in by_turns(alerts)]), listed)


def by_turns(alerts: list[Any]) -> Iterator[Any]:
    """Yield the items of a list, and let everybody else run now and then."""
    for place, alert in enumerate(alerts, 1):
        yield alert
        if place % TURN == 0:
            gevent.sleep(SOON)


def has_number_as_id(alert: object, form: Format) -> bool:
    """Say whether an id is a number: orjson loses digits of large ones, and the sign of -0."""
    fields = alert_fields(alert, form)
    if fields is None:
        return False
    numbers = [name for name, value in fields.items() if type(value) in NUMBERS]
    return any(plain_name(name) in ID_FIELDS[form] for name in numbers)
