"""What a journal has lost: after a failover, or from a backup, it counts fewer entries than were seen or settled.

The account stays that of the same incarnation: receipts keep what comes again from a second effect. Its base moves down
by the entries that the stream has forgotten, so that all that were ever added go on being counted: those settled before
are settled, and the others are missing, in the books and for good.
"""

from collections.abc import Sequence
from typing import Any, cast

import redis
import structlog

from schemas.alert.times import iso_milliseconds
from schemas.journal.append import GROUP
from schemas.journal.pages import page_through
from workers.database.connections import Database
from workers.database.rows import to_json
from workers.intake.outcomes import Entry

log = structlog.get_logger()


def book_losses(client: redis.Redis, database: Database, stream: str, incarnation: str) -> int:
    """Move the base of the account to where it is right again, and return it. Safe to repeat."""
    with database.transaction():
        (account,) = database.execute(LOCK_ACCOUNT, [incarnation]).fetchall()
        # Until the end of this transaction no batch commits: what is settled and what waits are of one moment.
        database.execute("LOCK TABLE totals IN SHARE MODE")
        (totals,) = database.execute(SUM_SETTLED, [incarnation]).fetchall()
        facts = client.xinfo_stream(stream)
        added, last = int(facts["entries-added"]), facts["last-generated-id"].decode()
        waiting = count_waiting(client, database, stream, incarnation, last)
        ever_added = max(account["added"] - account["base"], totals["settled"] + waiting)
        base: int = added - ever_added
        database.execute("UPDATE journals SET base = %s, added = %s WHERE incarnation = %s", [base, added, incarnation])
    missing = ever_added - totals["settled"] - waiting
    log.error("journal_losses_booked", incarnation=incarnation, forgotten=account["base"] - base, missing=missing)
    return base


def enter_anew(
    client: redis.Redis, database: Database, stream: str, incarnation: str, entries: Sequence[Entry]
) -> None:
    """Give entries that have the ids of others ids of their own, each in one step: it is never gone, and never twice.

    The stream will count each of them once more, so the account leaves one out first. Cut off in between, it is put
    right by `book_losses`.
    """
    moved = "UPDATE journals SET base = base + %s WHERE incarnation = %s"
    database.execute(moved, [len(entries), incarnation])
    for entry in entries:
        pipeline = client.pipeline(transaction=True)
        pipeline.xadd(stream, cast("Any", entry.fields))
        pipeline.xack(stream, GROUP, entry.entry_id)
        pipeline.xdel(stream, entry.entry_id)
        entry_id, *_ = pipeline.execute()
        log.error("entry_entered_anew", was=entry.entry_id.decode(), entry_id=entry_id.decode())


def count_waiting(client: redis.Redis, database: Database, stream: str, incarnation: str, last: str) -> int:
    """Count the entries in the stream, up to the id `last`, that have no receipt."""
    waiting = 0
    for page in page_through(client, stream, last):
        keys = [entry_key(entry_id) for entry_id, _fields in page]
        found = database.execute(COUNT_RECEIPTS, [to_json(keys), incarnation]).fetchone() or {}
        waiting += len(page) - int(found["receipts"])
    return waiting


def entry_key(entry_id: bytes) -> dict[str, Any]:
    """Return an entry id as the columns that hold it."""
    milliseconds, _, sequence = entry_id.partition(b"-")
    return {"entered_at": iso_milliseconds(int(milliseconds)), "sequence": int(sequence)}


LOCK_ACCOUNT = "SELECT base, added FROM journals WHERE incarnation = %s FOR UPDATE"
SUM_SETTLED = "SELECT coalesce(sum(entries), 0)::bigint AS settled FROM totals WHERE incarnation = %s"
COUNT_RECEIPTS = """
    SELECT count(*) AS receipts FROM json_populate_recordset(NULL::receipts, %s::json) w
    JOIN receipts r USING (entered_at, sequence) WHERE r.incarnation = %s
"""
