"""Read events: what happened to alerts, in an order that a reader can come back to without missing anything.

Events are numbered like alerts, and read up to a horizon below which nothing can appear any more
(deploy/postgres/0007.feed.sql). Each becomes one frame of a stream of server-sent events, encoded once.
"""

from dataclasses import dataclass
from typing import Any

from console.connections import Database
from console.paging import check_place, read_cursor, write_cursor
from console.report import encode_json
from schemas.alert.alert import Alert
from schemas.alert.presented import present_alert

CHANNEL = "alert_intake_events"
KIND = "events"


@dataclass(frozen=True, slots=True)
class Event:
    """One event with its frame: `id`, `event` and `data` lines, and the empty line that ends it."""

    position: int
    type: str
    frame: bytes


def read_events(database: Database, place: int, horizon: int, limit: int) -> list[Event]:
    """Return up to `limit` events after a place, none beyond the horizon."""
    rows = database.execute(SELECT_EVENTS, {"place": place, "horizon": horizon, "limit": limit}).fetchall()
    return [Event(row["position"], row["type"], frame_event(row)) for row in rows]


def read_horizon(database: Database) -> tuple[int, int]:
    """Return the position up to which no event can appear any more, and the last one drawn (see queries)."""
    row = database.execute(SELECT_HORIZON).fetchone()
    return (int(row["horizon"]), int(row["last"])) if row else (0, 0)


def frame_event(row: dict[str, Any]) -> bytes:
    """Return the frame of an event. `alert` is the alert as it stood then, in the form of the read API.

    An event about no alert has a `payload` instead, as subscriptions get it.
    """
    told = (
        {"payload": row["alert"]} if row["alert_id"] is None else {"alert": present_alert(Alert.from_row(row["alert"]))}
    )
    document = {"id": row["id"], "type": row["type"], "occurred_at": row["created_at"], **told}
    head = f"id: {write_place(row['position'])}\nevent: {row['type']}\ndata: ".encode()
    return head + encode_json(document) + b"\n\n"


def write_place(place: int) -> str:
    """Return a place as the `id` of a frame, and so as what a client sends back in Last-Event-ID."""
    return write_cursor(KIND, place)


def read_place(text: str, last: int) -> int:
    """Return the place that an `id` names; `last` is the last position drawn. Raises BadCursor."""
    (place,) = read_cursor(KIND, text, int)
    check_place(KIND, place, last)
    return int(place)


SELECT_HORIZON = """
    SELECT least(events_horizon(), (SELECT coalesce(max(position), 0) FROM events)) AS horizon,
           last_event_position() AS last
"""
SELECT_EVENTS = """
    SELECT position, id, type, created_at, alert_id, alert FROM events
    WHERE position > %(place)s AND position <= %(horizon)s ORDER BY position LIMIT %(limit)s
"""
