"""Hold what was promised against the receipts: every push that was kept has ended, or is waiting in the journal.

Promised are the pushes of the door's log: those it acknowledged, and those it refused as malformed (400), whose bodies
it has kept all the same; and the replays of rejections, which come by no door.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

import orjson
import redis

from console.connections import Database
from schemas.journal.stream import entry_key, parse_id

BATCH = 1000
KEPT = frozenset({"acknowledged", "rejected"})  # what the door's log calls a push whose body is in the journal


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What was kept: a request, as this journal entry. `rejection_id`: it is the replay of that rejection."""

    request_id: str
    entry_id: str
    rejection_id: str | None = None


@dataclass(slots=True)
class Acknowledgements:
    """What has become of what was kept."""

    read: int = 0
    settled: int = 0
    waiting: int = 0
    unaccounted: list[Acknowledgement] = field(default_factory=list)


def read_acknowledgements(lines: Iterable[str | bytes]) -> Iterator[Acknowledgement]:
    """Yield what the JSON lines of the door's log say was kept; other lines are passed over."""
    for line in lines:
        try:
            entry = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if not isinstance(entry, dict) or entry.get("event") not in KEPT:
            continue
        request_id, entry_id = entry.get("request_id"), entry.get("entry_id")
        if isinstance(request_id, str) and isinstance(entry_id, str):
            yield Acknowledgement(request_id, entry_id)


def read_replays(database: Database, receipts_kept: int) -> Iterator[Acknowledgement]:
    """Yield the replays of so many days: of older ones the receipts may be gone."""
    with database.transaction():
        rows = database.execute(SELECT_REPLAYS, [datetime.now(UTC) - timedelta(days=receipts_kept)]).fetchall()
    for row in rows:
        yield Acknowledgement(row["request_id"], row["entry_id"], row["rejection_id"])


def audit_acknowledgements(
    client: redis.Redis, database: Database, stream: str, acknowledgements: Iterable[Acknowledgement]
) -> Acknowledgements:
    """Look for the ending of each. `database` must not be inside a transaction.

    Receipts that retention has dropped cannot be found any more: give it logs younger than `retention.receipts`.
    """
    found = Acknowledgements()
    stock = iter(acknowledgements)
    while batch := list(islice(stock, BATCH)):
        found.read += len(batch)
        # Receipt, else in the stream, else receipt: an entry that left the stream meanwhile has a receipt by then.
        open_ones = without_receipt(database, batch)
        absent = without_entry(client, stream, open_ones)
        lost = without_receipt(database, absent)
        found.waiting += len(open_ones) - len(absent)
        found.settled += len(batch) - len(open_ones) + len(absent) - len(lost)
        found.unaccounted.extend(lost)
    return found


def without_receipt(database: Database, batch: Sequence[Acknowledgement]) -> list[Acknowledgement]:
    """Return those that have no receipt: by request id, or by entry id where the entry could not be read."""
    if not batch:
        return []
    keys = [split_id(one.entry_id) for one in batch]
    with database.transaction():
        rows = database.execute(
            SELECT_RECEIVED,
            [
                list(range(len(batch))),
                [parse_request(one.request_id) for one in batch],
                [moment for moment, _ in keys],
                [counter for _, counter in keys],
            ],
        ).fetchall()
    received = {row["place"] for row in rows}
    return [one for place, one in enumerate(batch) if place not in received]


def without_entry(client: redis.Redis, stream: str, batch: Sequence[Acknowledgement]) -> list[Acknowledgement]:
    """Return those whose entry is not in the stream."""
    if not batch:
        return []
    pipeline = client.pipeline(transaction=False)
    for one in batch:
        pipeline.xrange(stream, min=one.entry_id, max=one.entry_id)
    answers = pipeline.execute(raise_on_error=False)
    for answer in answers:
        if isinstance(answer, redis.RedisError) and "Invalid stream ID" not in str(answer):
            raise answer
    return [one for one, answer in zip(batch, answers, strict=True) if isinstance(answer, Exception) or not answer]


def split_id(entry_id: str) -> tuple[Any, int | None]:
    """Return an entry id as the columns of its receipt, nulls when it is none."""
    try:
        return entry_key(parse_id(entry_id.encode()))
    except (ValueError, OverflowError):
        return None, None


def parse_request(request_id: str) -> UUID | None:
    """Return a request id as the column of its receipt, or None when it is none."""
    try:
        return UUID(request_id)
    except ValueError:
        return None


SELECT_REPLAYS = """
    SELECT replace(replayed_as::text, '-', '') AS request_id, replayed_entry AS entry_id, id::text AS rejection_id
    FROM rejections WHERE state = 'replayed' AND closed_at >= %s AND replayed_entry IS NOT NULL ORDER BY closed_at
"""
SELECT_RECEIVED = """
    SELECT place FROM unnest(%s::integer[], %s::uuid[], %s::timestamptz[], %s::bigint[])
        AS acknowledged (place, request_id, entered_at, sequence)
    WHERE EXISTS (SELECT FROM receipts r WHERE r.request_id = acknowledged.request_id)
        OR EXISTS (
            SELECT FROM receipts r
            WHERE r.entered_at = acknowledged.entered_at AND r.sequence = acknowledged.sequence AND r.request_id IS NULL
        )
"""
