"""Read rejections: what ended without becoming an alert, and waits until someone has dealt with it."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from console.connections import Database
from console.operations import read_operations
from console.paging import BadCursor, Page, parse_uuid, read_cursor, write_cursor
from console.rejections.body import show_body
from schemas.downstream.subscription import rejection_binding
from schemas.keyring import Keyring, Tampered, UnknownKey

STATES = ("open", "replayed", "discarded")


@dataclass(frozen=True, slots=True)
class Sought:
    """Which rejections are asked for. `since` is included, `until` is not; both are times of rejection."""

    state: str | None = None
    reason: str | None = None
    source: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def list_rejections(database: Database, sought: Sought, limit: int = 100, cursor: str | None = None) -> Page:
    """Return a page of rejections, the latest first. Raises BadCursor."""
    moment, last_id = read_place(cursor) if cursor else (None, None)
    place = {"moment": moment, "last_id": last_id, "limit": limit + 1}
    rows = database.execute(
        SELECT_REJECTIONS, asdict(sought) | place, prepare=False
    ).fetchall()  # planned for these values
    more, rows = len(rows) > limit, rows[:limit]
    last = (rows[-1]["rejected_at"].isoformat(), str(rows[-1]["id"])) if more else ()
    return Page(rows, write_cursor("rejections", *last) if more else None)


def read_place(cursor: str) -> tuple[datetime, str]:
    """Return where the list was left. Raises BadCursor."""
    moment, last_id = read_cursor("rejections", cursor, str, str)
    own_id = parse_uuid(last_id)
    if own_id is None:
        raise BadCursor("cursor: not a cursor of rejections")
    try:
        return datetime.fromisoformat(moment).astimezone(UTC), str(own_id)
    except (ValueError, OverflowError) as error:
        raise BadCursor("cursor: not a cursor of rejections") from error


def read_rejection(database: Database, rejection_id: str, keyring: Keyring) -> dict[str, Any] | None:
    """Return one rejection with its body as text, or None when there is none of that id.

    Card numbers in the body are masked. When it cannot be opened, `body` is None and `sealed_because` says why.
    `became` tells how its replay ended, item by item; `operations` who did what to it.
    """
    row = database.execute(SELECT_REJECTION, {"id": parse_uuid(rejection_id)}).fetchone()
    if row is None:
        return None
    sealed = row.pop("sealed")
    row["body"], row["sealed_because"] = None, None if sealed else "the entry held no body"
    if sealed:
        try:
            row["body"] = show_body(keyring.unseal(bytes(sealed), rejection_binding(str(row["id"]))))
        except (UnknownKey, Tampered) as error:
            row["sealed_because"] = str(error)
    row["became"] = database.execute(SELECT_ENDINGS, [row["replayed_as"]]).fetchall() if row["replayed_as"] else []
    row["operations"] = read_operations(database, str(row["id"]))
    return row


# What `Sought` asks for; the same in the list for people and in a replay of many.
MATCHES = """
    (%(state)s::text IS NULL OR state = %(state)s)
    AND (%(reason)s::text IS NULL OR reason = %(reason)s)
    AND (%(source)s::text IS NULL OR source = %(source)s)
    AND (%(since)s::timestamptz IS NULL OR rejected_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR rejected_at < %(until)s)
"""
SELECT_REJECTIONS = f"""
    SELECT id, state, reason, why, source, replace(request_id::text, '-', '') AS request_id, item,
           received_at, rejected_at, closed_at, note, replace(replayed_as::text, '-', '') AS replayed_as
    FROM rejections
    WHERE {MATCHES} AND (%(moment)s::timestamptz IS NULL OR (rejected_at, id) < (%(moment)s, %(last_id)s::uuid))
    ORDER BY rejected_at DESC, id DESC LIMIT %(limit)s
"""  # noqa: S608 - of constants
SELECT_REJECTION = """
    SELECT id, state, reason, why, source, replace(request_id::text, '-', '') AS request_id, item,
           received_at, rejected_at, closed_at, note, replace(replayed_as::text, '-', '') AS replayed_as, sealed,
           (extract(epoch FROM entered_at) * 1000)::bigint || '-' || sequence AS entry_id, incarnation
    FROM rejections WHERE id = %(id)s
"""
SELECT_ENDINGS = """
    SELECT e.item, e.ending, e.alert_id, e.rejection_id
    FROM receipts r JOIN endings e USING (entered_at, sequence, incarnation)
    WHERE r.request_id = %s::uuid ORDER BY e.item
"""
