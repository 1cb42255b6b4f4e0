"""The books: every entry ever added to the journal is settled or waiting, for each incarnation of it.

Exact while drains run, without stopping them, by the order in which things are read:

1. what Postgres knows of the journal's counter: it may only have grown since;
2. the stream's counter and its last id, at one moment. What came later is left out, by that id;
3. the ids still in the stream up to it;
4. receipts, in one snapshot. An entry leaves the stream only after its receipt is committed, so one without a receipt
   now was in the stream at step 3 and is waiting; every other one is settled.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import redis

from schemas.journal.account import Account
from schemas.journal.inside import Inside, keep_ids
from schemas.journal.stream import EntryId, Stream, entry_key, read_incarnation, read_stream, walk_stream

ATTEMPTS = 5

Database = psycopg.Connection[dict[str, Any]]


class JournalChanging(Exception):
    """The journal was replaced at every look: what its books are cannot be told now."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What Postgres knew at a moment of its clock: the accounts' bases and the highest counts seen, by incarnation."""

    at: datetime
    bases: Mapping[str, int]
    added: Mapping[str, int]


def read_books(client: redis.Redis, database: Database, stream: str) -> list[Account]:
    """Return one account per incarnation, the current one first. `database` must not be inside a transaction.

    Raises JournalChanging when the journal keeps being replaced; psycopg.Error and redis.RedisError pass through.
    """
    for _attempt in range(ATTEMPTS):
        recorded = read_recorded(database)
        seen = read_stream(client, stream)
        inside = keep_ids(walk_stream(client, stream, seen.last_id) if seen.length else ())
        accounts = read_accounts(database, seen, inside, recorded)
        if read_recorded(database).bases == recorded.bases and read_incarnation(client, stream) == seen.incarnation:
            return accounts
        time.sleep(0.1)  # a new incarnation begins this very moment, or a drain books what the journal lost
    raise JournalChanging("the journal's incarnation keeps changing; is it being emptied again and again?")


def read_recorded(database: Database) -> Recorded:
    """Return what Postgres knows."""
    with database.transaction():
        (clock,) = database.execute("SELECT now() AS at").fetchall()
        rows = database.execute("SELECT incarnation::text, base, added FROM journals").fetchall()
    bases = {row["incarnation"]: row["base"] for row in rows}
    return Recorded(clock["at"], bases, {row["incarnation"]: row["added"] for row in rows})


def read_accounts(database: Database, seen: Stream, inside: Inside, recorded: Recorded) -> list[Account]:
    """Hold the stream against the receipts, in one snapshot."""
    with database.transaction():
        database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        known = {row["incarnation"]: row for row in database.execute(SELECT_ACCOUNTS).fetchall()}
        later = count_later(database, seen.incarnation, seen.last_id, recorded.at)
        received = count_received(database, seen.incarnation, inside)
    own = known.pop(seen.incarnation, {}) if seen.incarnation else {}
    base = own.get("base")
    if base is None:  # no drain has opened this account yet: it is of what is in the stream
        base = seen.added - seen.length
    current = Account(
        incarnation=seen.incarnation,
        current=True,
        added=max(seen.added, recorded.added.get(seen.incarnation or "", 0)) - base,
        settled=own.get("settled", 0) - later,
        waiting=len(inside) - received,
        orphaned=seen.orphaned,
    )
    return [current, *(close_account(row) for row in known.values())]


def close_account(row: Mapping[str, Any]) -> Account:
    """Return the account of an earlier incarnation, of which nothing can be waiting any more."""
    added = max((row["added"] or 0) - (row["base"] or 0), row["settled"])
    return Account(row["incarnation"], current=False, added=added, settled=row["settled"], waiting=0)


def count_later(database: Database, incarnation: str | None, last: EntryId, since: datetime) -> int:
    """Count the receipts made since then of entries behind `last`. Older ones are of entries the journal forgot."""
    moment, counter = entry_key(last)
    values = {"incarnation": incarnation, "moment": moment, "counter": counter, "since": since}
    row = database.execute(COUNT_LATER, values).fetchone()
    return int(row["receipts"]) if row else 0


def count_received(database: Database, incarnation: str | None, inside: Inside) -> int:
    """Count those of the ids that have a receipt."""
    received = 0
    for moments, counters in inside.list_keys():
        row = database.execute(COUNT_RECEIVED, [moments, counters, incarnation]).fetchone()
        received += int(row["receipts"]) if row else 0
    return received


SELECT_ACCOUNTS = """
    SELECT incarnation::text, j.base, j.added, coalesce(t.settled, 0)::bigint AS settled
    FROM journals j
    FULL JOIN (SELECT incarnation, sum(entries) AS settled FROM totals GROUP BY incarnation) t USING (incarnation)
    ORDER BY j.first_seen_at DESC
"""
# The plain bound beside the row comparison is what lets PostgreSQL leave out whole partitions.
COUNT_LATER = """
    SELECT count(*) AS receipts FROM receipts
    WHERE incarnation = %(incarnation)s::uuid
        AND (entered_at, sequence) > (%(moment)s, %(counter)s) AND entered_at >= %(moment)s
        AND settled_at >= %(since)s
"""
COUNT_RECEIVED = """
    SELECT count(*) AS receipts
    FROM unnest(%s::timestamptz[], %s::bigint[]) AS inside (entered_at, sequence)
    JOIN receipts r USING (entered_at, sequence)
    WHERE r.incarnation = %s::uuid
"""
