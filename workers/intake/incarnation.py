"""The life of a journal: a random id kept beside the stream, and the account that Postgres keeps of it.

Entry ids may recur when a journal comes back empty, so receipts name the incarnation too. A new one begins when the id
is gone: the Redis was emptied. A journal that merely forgot its latest entries (a failover, a backup) keeps it, so that
what comes again is known again.
"""

from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

import redis
import structlog

from schemas.journal.append import GROUP
from workers.database.connections import Database
from workers.intake.losses import book_losses
from workers.intake.outcomes import Entry

log = structlog.get_logger()


class JournalReplaced(Exception):
    """The journal is not the one that was opened: open it anew. Entries taken meanwhile are not lost."""


class EntryIdRecurred(JournalReplaced):
    """Entries have the ids of others, which have their receipts already: let them be entered anew."""

    def __init__(self, entries: list[Entry]) -> None:
        super().__init__("ids of entries are those of other pushes")
        self.entries = entries


@dataclass(frozen=True, slots=True)
class Life:
    """The incarnation that a drain works for, and what its account takes off the stream's counter of entries."""

    incarnation: str
    base: int


def open_journal(client: redis.Redis, database: Database, stream: str) -> Life:
    """Make sure that group and incarnation exist, and return it. Raises redis.RedisError or psycopg.Error.

    The group is made from entry 0: whatever is in the stream is handed out (again), and receipts make that harmless.
    """
    key = incarnation_key(stream)
    make_missing(client, stream, key)
    # What was seen before, and only then what is there now: another drain may be adding to both.
    incarnation = cast("bytes", client.get(key) or b"").decode()
    row = database.execute(SELECT_ACCOUNT, [incarnation or None]).fetchone()
    current, added, entries = read_counters(client, stream)
    if current != incarnation:
        raise JournalReplaced("the journal was replaced while it was being opened")
    if row is None:
        database.execute(
            "INSERT INTO journals (incarnation, base, added) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            [incarnation, added - entries, added],
        )
        return Life(incarnation, added - entries)
    if added < row["added"] or row["settled"] > added - row["base"]:
        log.error("journal_went_backwards", stream=stream, incarnation=incarnation, added=added, seen=row["added"])
        return Life(incarnation, book_losses(client, database, stream, incarnation))
    return Life(incarnation, row["base"])


def make_missing(client: redis.Redis, stream: str, key: str) -> None:
    """Make the group and the incarnation, each only when it is not there.

    A Redis without memory refuses to make what is there already: then a full journal could never be drained.
    """
    groups = client.xinfo_groups(stream) if client.exists(stream) else []
    if not any(group["name"] == GROUP.encode() for group in groups):
        try:
            client.xgroup_create(stream, GROUP, id="0", mkstream=True)
            log.warning("journal_group_created", stream=stream, group=GROUP)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
    if not client.exists(key):
        client.set(key, str(uuid4()), nx=True)


def note_added(client: redis.Redis, database: Database, stream: str, life: Life) -> None:
    """Keep the highest count of entries seen: it says how many a lost journal took with it.

    A count from before a loss was booked says nothing of the account after it: its base is another one.
    """
    current, added, _entries = read_counters(client, stream)
    if current == life.incarnation:
        database.execute(
            "UPDATE journals SET added = greatest(added, %s), last_seen_at = now()"
            " WHERE incarnation = %s AND base = %s",
            [added, life.incarnation, life.base],
        )


def read_counters(client: redis.Redis, stream: str) -> tuple[str, int, int]:
    """Return the incarnation, how many entries were ever added, and how many are there now; read at one moment.

    Raises JournalReplaced when there is no stream.
    """
    pipeline = client.pipeline(transaction=True)
    pipeline.get(incarnation_key(stream))
    pipeline.xinfo_stream(stream)
    try:
        incarnation, stream_facts = pipeline.execute()
    except redis.ResponseError as error:
        raise JournalReplaced(str(error)) from error
    facts = cast("dict[str, Any]", stream_facts)
    return (incarnation or b"").decode(), int(facts["entries-added"]), int(facts["length"])


def incarnation_key(stream: str) -> str:
    """The Redis key that holds the incarnation of a stream."""
    return f"{stream}:incarnation"


SELECT_ACCOUNT = """
    SELECT base, added,
           (SELECT coalesce(sum(entries), 0) FROM totals t WHERE t.incarnation = j.incarnation)::bigint AS settled
    FROM journals j WHERE incarnation = %s::uuid
"""
