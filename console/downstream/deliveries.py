"""List deliveries: outbox items, and how the last attempt of each went."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

from console.connections import Database
from console.paging import BadCursor, Page, parse_uuid, read_cursor, write_cursor
from console.unreachable import Refused

STATES = ("due", "delivered", "given_up")
SKEW = timedelta(days=1)


class UnboundedSearch(Refused):
    """What is asked for would have every delivery looked at that there ever was."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Which deliveries are asked for. `since` is included, `until` is not; both of when the event happened.

    last_status, last_error  of the last attempt: its HTTP status, and a part of its error in any case
    """

    state: str | None = None
    subscription: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    alert_id: UUID | None = None
    event: str | None = None
    last_status: int | None = None
    last_error: str | None = None


def list_deliveries(database: Database, sought: Sought, limit: int = 100, cursor: str | None = None) -> Page:
    """Return a page of deliveries, the latest first (their ids are UUIDv7). Raises BadCursor or UnboundedSearch.

    Those of one alert are found by it. No index leads to an event's type or to how the last attempt went: without an
    alert each delivery since a time is looked at.

    A time is looked for among the ids of that time. They are of the clocks of the workers: what was announced by one
    that was wrong by more than SKEW is not found by its time.
    """
    last_id = None
    if cursor:
        (last_id,) = read_cursor("deliveries", cursor, str)
        if parse_uuid(last_id) is None:
            raise BadCursor("cursor: not a cursor of deliveries")
    known = database.execute("SELECT id FROM subscriptions WHERE name = %s", [sought.subscription]).fetchone()
    if known is None and sought.subscription is not None:
        return Page()
    values = asdict(sought) | {
        "own": known["id"] if known else None,
        "last_id": last_id,
        "low": make_bound(sought.since, -SKEW),
        "high": make_bound(sought.until, SKEW),
        "limit": limit + 1,
    }
    statement = choose_statement(sought)
    rows = database.execute(statement, values, prepare=False).fetchall()  # planned for these very values
    more, rows = len(rows) > limit, rows[:limit]
    return Page(rows, write_cursor("deliveries", str(rows[-1]["id"])) if more else None)


def choose_statement(sought: Sought) -> str:
    """Return the statement that reads no more than it has to. Raises UnboundedSearch."""
    if sought.alert_id is not None:
        return SELECT_OF_ALERT
    if sought.since is None and any(one is not None for one in (sought.event, sought.last_status, sought.last_error)):
        raise UnboundedSearch("an event or how the last attempt went is looked for since a time: say since when")
    return SELECT_GIVEN_UP if sought.state == "given_up" else SELECT_DELIVERIES


def make_bound(moment: datetime | None, skew: timedelta) -> UUID | None:
    """Return the least UUIDv7 of a moment moved by `skew` (RFC 9562, 5.7: it begins with 48 bits of milliseconds)."""
    if moment is None:
        return None
    milliseconds = int((moment.timestamp() + skew.total_seconds()) * 1000)
    return UUID(int=min(max(milliseconds, 0), 2**48 - 1) << 80)


SHOWN = """
    SELECT o.id, o.state, s.name AS subscription, o.subscription_id, v.type AS event, o.alert_id, o.attempts, o.due_at,
           o.created_at, o.ended_at, last.status AS last_status, last.error AS last_error, last.attempted_at AS last_at
    FROM outbox o
    JOIN events v ON v.id = o.event_id
    JOIN subscriptions s ON s.id = o.subscription_id
    LEFT JOIN LATERAL (
        SELECT status, error, attempted_at FROM attempts WHERE outbox_id = o.id ORDER BY attempted_at DESC LIMIT 1
    ) last ON true
"""
MATCHES = """
    (%(state)s::text IS NULL OR o.state = %(state)s)
    AND (%(subscription)s::text IS NULL
         OR o.subscription_id = (SELECT id FROM subscriptions WHERE name = %(subscription)s))
    AND (%(since)s::timestamptz IS NULL OR o.created_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR o.created_at < %(until)s)
    AND (%(alert_id)s::uuid IS NULL OR o.alert_id = %(alert_id)s)
    AND (%(event)s::text IS NULL OR (SELECT type FROM events WHERE id = o.event_id) = %(event)s)
    AND ((%(last_status)s::integer IS NULL AND %(last_error)s::text IS NULL) OR (
        SELECT (%(last_status)s::integer IS NULL OR last.status = %(last_status)s)
            AND (%(last_error)s::text IS NULL OR strpos(lower(last.error), lower(%(last_error)s)) > 0)
        FROM (SELECT status, error FROM attempts WHERE outbox_id = o.id ORDER BY attempted_at DESC LIMIT 1) last))
"""
FEW = f"""
    SELECT o.id FROM outbox o
    WHERE {MATCHES} AND (%(own)s::uuid IS NULL OR o.subscription_id = %(own)s::uuid)
        AND (%(last_id)s::uuid IS NULL OR o.id < %(last_id)s::uuid)
        AND (%(low)s::uuid IS NULL OR o.id >= %(low)s::uuid) AND (%(high)s::uuid IS NULL OR o.id < %(high)s::uuid)
"""  # noqa: S608 - of constants
SELECT_DELIVERIES = f"""
    WITH few AS MATERIALIZED ({FEW} ORDER BY o.id DESC LIMIT %(limit)s)
    {SHOWN} WHERE o.id = ANY (ARRAY(SELECT id FROM few)) ORDER BY o.id DESC
"""  # noqa: S608 - of constants
# An alert has a handful, in an index of their own.
SELECT_OF_ALERT = f"""
    WITH own AS MATERIALIZED (SELECT * FROM outbox WHERE alert_id = %(alert_id)s),
    few AS MATERIALIZED ({FEW.replace("FROM outbox o", "FROM own o")} ORDER BY o.id DESC LIMIT %(limit)s)
    {SHOWN} WHERE o.id = ANY (ARRAY(SELECT id FROM few)) ORDER BY o.id DESC
"""  # noqa: S608 - of constants
# Those given up are in an index of their own, each subscription's by itself: of each no more is read than is shown.
SELECT_GIVEN_UP = f"""
    WITH few AS MATERIALIZED (
        SELECT own.id FROM subscriptions s
        CROSS JOIN LATERAL ({FEW} AND o.subscription_id = s.id ORDER BY o.id DESC LIMIT %(limit)s) own
        WHERE %(own)s::uuid IS NULL OR s.id = %(own)s::uuid ORDER BY own.id DESC LIMIT %(limit)s
    )
    {SHOWN} WHERE o.id = ANY (ARRAY(SELECT id FROM few)) ORDER BY o.id DESC
"""  # noqa: S608 - of constants
