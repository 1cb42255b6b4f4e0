"""The books, as the workers themselves audit them: every entry ever added to the journal is settled or waiting.

The same reading as the console's (console/books/audit.py, which workers may not import): counters and ids first, then
receipts in one snapshot, so that drains go on meanwhile and nothing is counted twice or not at all.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import redis

from schemas.journal import GROUP
from workers.connections import Database
from workers.intake.incarnation import incarnation_key
from workers.intake.losses import entry_key
from workers.intake.rows import to_json

PAGE = 1000
MOST_ENTRIES = 100_000  # in the journal; of more, the audit waits until they are fewer: it reads each of them


@dataclass(frozen=True, slots=True)
class Imbalance:
    """An account that does not balance: entries that are neither settled nor waiting, and entries due to nobody."""

    incarnation: str
    missing: int
    orphaned: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the database knew at a moment of its clock: of each account its base, and the highest count seen."""

    at: datetime | None
    bases: dict[str, int]
    added: dict[str, int]


@dataclass(frozen=True, slots=True)
class Reading:
    """The journal at one moment: its life, how many entries were ever added, and the ids of those that are in it."""

    incarnation: str
    added: int
    last: bytes
    inside: list[bytes]
    orphaned: int


def audit_accounts(client: redis.Redis, database: Database, stream: str) -> list[Imbalance] | None:
    """Return the accounts that do not balance; None when that cannot be told now. Outside of a transaction."""
    before = read_recorded(database)
    reading = read_journal(client, stream)
    if reading is None:
        return None
    with database.transaction():
        database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        accounts = {row["incarnation"]: row for row in database.execute(SELECT_ACCOUNTS).fetchall()}
        own = accounts.pop(reading.incarnation, None)
        later = count_later(database, reading, before.at)
        received = count_received(database, reading)
    if own is None or read_recorded(database).bases != before.bases:
        return None  # a journal is being opened, or what one has lost is being booked
    added = max(reading.added, before.added.get(reading.incarnation, 0)) - own["base"]
    missing = added - (own["settled"] - later) - (len(reading.inside) - received)
    found = [Imbalance(reading.incarnation, missing, reading.orphaned)]
    # Of an earlier life of the journal nothing can be waiting any more.
    found += [Imbalance(name, max(row["added"] - row["base"] - row["settled"], 0), 0) for name, row in accounts.items()]
    return [one for one in found if one.missing or one.orphaned]


def read_recorded(database: Database) -> Recorded:
    """Return what the database knows."""
    rows = database.execute("SELECT now() AS at, incarnation::text, base, added FROM journals").fetchall()
    bases = {row["incarnation"]: row["base"] for row in rows}
    return Recorded(rows[0]["at"] if rows else None, bases, {row["incarnation"]: row["added"] for row in rows})


def read_journal(client: redis.Redis, stream: str) -> Reading | None:
    """Read the journal. None when there is none yet, or too much in it. Raises redis.RedisError."""
    pipeline = client.pipeline(transaction=True)
    pipeline.get(incarnation_key(stream))
    pipeline.xinfo_stream(stream)
    pipeline.xinfo_groups(stream)
    incarnation, facts, groups = pipeline.execute(raise_on_error=False)
    if any(isinstance(answer, redis.ResponseError) for answer in (facts, groups)) or not incarnation:
        return None
    group = next((one for one in groups if one["name"] == GROUP.encode()), None)
    if group is None or facts["length"] > MOST_ENTRIES:
        return None
    last, after, inside = facts["last-generated-id"], b"-", []
    while page := cast("list[tuple[bytes, Any]]", client.xrange(stream, min=after, max=last, count=PAGE)):
        inside += [entry_id for entry_id, _fields in page]
        after = b"(" + page[-1][0]
    lag = group["lag"]  # None when Redis cannot tell it: then `alert-intake audit` counts the orphans one by one
    # Below 0 an entry was deleted before anybody took it: that one is missing.
    orphaned = 0 if lag is None else max(int(facts["length"]) - int(group["pending"]) - int(lag), 0)
    return Reading(incarnation.decode(), int(facts["entries-added"]), last, inside, orphaned)


def count_later(database: Database, reading: Reading, since: datetime | None) -> int:
    """Count the receipts made since then of entries that came after the reading."""
    key = entry_key(reading.last) | {"incarnation": reading.incarnation, "since": since}
    row = database.execute(COUNT_LATER, key).fetchone()
    return int(row["receipts"]) if row else 0


def count_received(database: Database, reading: Reading) -> int:
    """Count the entries in the journal that have a receipt."""
    received = 0
    for start in range(0, len(reading.inside), PAGE):
        keys = [entry_key(entry_id) for entry_id in reading.inside[start : start + PAGE]]
        row = database.execute(COUNT_RECEIVED, [to_json(keys), reading.incarnation]).fetchone()
        received += int(row["receipts"]) if row else 0
    return received


SELECT_ACCOUNTS = """
    SELECT j.incarnation::text, j.base, j.added,
           (SELECT coalesce(sum(t.entries), 0) FROM totals t WHERE t.incarnation = j.incarnation)::bigint AS settled
    FROM journals j
"""
# The plain bound beside the row comparison is what lets PostgreSQL leave out whole partitions.
COUNT_LATER = """
    SELECT count(*) AS receipts FROM receipts
    WHERE incarnation = %(incarnation)s::uuid AND (entered_at, sequence) > (%(entered_at)s::timestamptz, %(sequence)s)
      AND entered_at >= %(entered_at)s::timestamptz AND settled_at >= %(since)s
"""
COUNT_RECEIVED = """
    SELECT count(*) AS receipts FROM json_populate_recordset(NULL::receipts, %s::json) w
    JOIN receipts r USING (entered_at, sequence) WHERE r.incarnation = %s
"""
