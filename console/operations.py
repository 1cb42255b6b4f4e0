"""Note what people do by hand: every write that an operator asks for leaves who, when, what and why."""

import os
import pwd
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from console.connections import Database
from console.paging import BadCursor, Page, read_cursor, write_cursor

LARGEST_ID = 2**63 - 1
CONSOLE = "console"  # the actor of whatever comes with the console's token


@dataclass(frozen=True, slots=True)
class Sought:
    """Which operations are asked for. `since` is included, `until` is not."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def name_operator() -> str:
    """Return the user of the operating system that runs this command: by the account, which no variable can change."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container the account often has no name
        return f"uid {os.getuid()}"


def note_operation(database: Database, actor: str, action: str, subject: str, note: str | None = None) -> None:
    """Note one operation, in the transaction that does it. `note` holds no secret and no card number."""
    database.execute(
        "INSERT INTO operations (actor, action, subject, note) VALUES (%s, %s, %s, %s)", [actor, action, subject, note]
    )


def read_operations(database: Database, subject: str) -> list[dict[str, Any]]:
    """Return what was done to a subject, the earliest first."""
    return database.execute(
        "SELECT at, actor, action, note FROM operations WHERE subject = %s ORDER BY id", [subject]
    ).fetchall()


def list_operations(database: Database, sought: Sought, limit: int = 100, cursor: str | None = None) -> Page:
    """Return a page of what was done by hand, the latest first. Raises BadCursor."""
    (last_id,) = read_cursor("operations", cursor, int) if cursor else (None,)
    if last_id is not None and not 0 <= last_id <= LARGEST_ID:
        raise BadCursor("cursor: not a cursor of operations")
    rows = database.execute(SELECT_OPERATIONS, asdict(sought) | {"last_id": last_id, "limit": limit + 1}).fetchall()
    more, rows = len(rows) > limit, rows[:limit]
    return Page(rows, write_cursor("operations", rows[-1]["id"]) if more else None)


SELECT_OPERATIONS = """
    SELECT id, at, actor, action, subject, note FROM operations
    WHERE (%(actor)s::text IS NULL OR actor = %(actor)s)
      AND (%(action)s::text IS NULL OR action = %(action)s)
      AND (%(subject)s::text IS NULL OR subject = %(subject)s)
      AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
      AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
      AND (%(last_id)s::bigint IS NULL OR id < %(last_id)s)
    ORDER BY id DESC LIMIT %(limit)s
"""
