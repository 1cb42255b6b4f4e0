"""Close rejections by hand: replay one through the journal, unchanged or corrected, or discard it with a note.

A replay locks the rejection's row, appends a new envelope to the journal, and only then, the append being durable,
closes the rejection in the same transaction. So it errs on one side: a crash after the append leaves the rejection
open, and who replays it again makes a duplicate, which the drains recognise by its content. It is never closed without
being in the journal. A second operator finds the row locked, or closed.
"""

from dataclasses import dataclass
from typing import Any

import redis

from console.connections import Database
from console.operations import note_operation
from console.paging import parse_uuid
from console.rejections.envelope import BadCorrection, rebuild_envelope
from console.unreachable import Refused
from schemas.alert.cards import mask_cards
from schemas.journal.append import append_entry
from schemas.journal.envelope import seal_envelope
from schemas.journal.room import check_room, measure_journal
from schemas.keyring import Keyring
from schemas.settings.configuration import Configuration

MAX_NOTE = 1000


class NoSuchRejection(Refused):
    """There is no rejection of this id."""


class NotOpen(Refused):
    """Somebody has closed the rejection, or is just doing so."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What an operator works with. `database` is writable and in no transaction; `actor` is noted with each write."""

    database: Database
    journal: redis.Redis
    configuration: Configuration
    keyring: Keyring
    actor: str


@dataclass(frozen=True, slots=True)
class Replay:
    """A rejection that went into the journal again, under a request id of its own."""

    rejection_id: str
    request_id: str
    entry_id: str


def replay_rejection(
    desk: Desk, rejection_id: str, corrected: bytes | None = None, *, even_closed: bool = False
) -> Replay:
    """Append a rejection's body, or the corrected one, to the journal, and close the rejection.

    Raises JournalFull before anything is appended. Any other JournalUnavailable leaves open whether the entry is in
    the journal; the rejection stays open, and replaying it again does no harm. Raises Refused in its four kinds.
    """
    with desk.database.transaction():
        row = lock_rejection(desk.database, rejection_id, even_closed=even_closed)
        envelope = rebuild_envelope(row, corrected, desk.configuration, desk.keyring)
        settings = desk.configuration.journal
        check_room(measure_journal(desk.journal, settings), settings)
        entry_id = append_entry(desk.journal, settings, seal_envelope(envelope, desk.keyring))
        desk.database.execute(CLOSE_REPLAYED, {"id": row["id"], "request": envelope.request_id, "entry": entry_id})
        how = "unchanged" if corrected is None else "corrected"
        note_operation(desk.database, desk.actor, "replay", str(row["id"]), f"{how}, as request {envelope.request_id}")
    return Replay(str(row["id"]), envelope.request_id, entry_id)


def discard_rejection(database: Database, rejection_id: str, note: str, actor: str) -> dict[str, Any]:
    """Close a rejection without replaying it; `note` says why. Raises Refused. Its body goes with retention."""
    note = mask_cards(note.strip())
    if not 1 <= len(note) <= MAX_NOTE or not note.replace("\n", "").isprintable():
        raise BadCorrection(f"note: 1 to {MAX_NOTE} printable characters")
    with database.transaction():
        row = lock_rejection(database, rejection_id)
        closed = database.execute(CLOSE_DISCARDED, {"id": row["id"], "note": note}).fetchone()
        note_operation(database, actor, "discard", str(row["id"]), note)
    return closed or {}


def lock_rejection(database: Database, rejection_id: str, *, even_closed: bool = False) -> dict[str, Any]:
    """Take hold of an open rejection until the transaction ends. Raises NoSuchRejection or NotOpen."""
    wanted = {"id": parse_uuid(rejection_id)}
    row = database.execute(LOCK_REJECTION, wanted).fetchone()
    if row is None:
        if database.execute("SELECT FROM rejections WHERE id = %(id)s", wanted).fetchone() is None:
            raise NoSuchRejection(
                f"there is no rejection {rejection_id}; see `alert-intake rejections list --state all`"
            )
        raise NotOpen(f"rejection {rejection_id} is being closed by somebody else at this moment")
    if row["state"] != "open" and not even_closed:
        raise NotOpen(f"rejection {rejection_id} is {row['state']} already")
    return row


LOCK_REJECTION = """
    SELECT id, state, reason, source, received_at, entered_at, sealed FROM rejections
    WHERE id = %(id)s FOR UPDATE SKIP LOCKED
"""
CLOSE_REPLAYED = """
    UPDATE rejections
    SET state = 'replayed', closed_at = now(), replayed_as = %(request)s::uuid, replayed_entry = %(entry)s
    WHERE id = %(id)s
"""
CLOSE_DISCARDED = """
    UPDATE rejections SET state = 'discarded', closed_at = now(), note = %(note)s WHERE id = %(id)s
    RETURNING id, state, closed_at, note
"""
