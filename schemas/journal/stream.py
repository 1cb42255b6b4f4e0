"""Read the journal's stream for the books: its counters at one moment, and the ids of what is in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID

import redis

from schemas.journal.append import GROUP
from schemas.journal.pages import Page, page_through

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = 253_402_300_799_999  # the last millisecond of the year 9999; receipts hold nothing later
PAGE = 1000  # ids that are compared at once

EntryId = tuple[int, int]  # milliseconds since the epoch, counter


@dataclass(frozen=True, slots=True)
class Stream:
    """The journal's stream at one moment.

    added     how many entries were ever added to it
    length    how many of them are in it
    last_id   the id of the latest
    orphaned  entries that are in it, handed to nobody and due to nobody: 0, or something deleted a consumer
    """

    incarnation: str | None
    added: int
    length: int
    last_id: EntryId
    orphaned: int


def read_stream(client: redis.Redis, stream: str) -> Stream:
    """Read counters, group and incarnation in one transaction. Raises redis.RedisError."""
    pipeline = client.pipeline(transaction=True)
    pipeline.get(f"{stream}:incarnation")
    pipeline.xinfo_stream(stream)
    pipeline.xinfo_groups(stream)
    incarnation, facts, groups = pipeline.execute(raise_on_error=False)
    if isinstance(facts, redis.ResponseError) and "no such key" in str(facts):
        return Stream(parse_incarnation(incarnation), 0, 0, (0, 0), 0)
    for answer in (incarnation, facts, groups):
        if isinstance(answer, redis.RedisError):
            raise answer
    length = int(facts["length"])
    group = next((group for group in groups if group["name"] == GROUP.encode()), None)
    orphaned = 0
    if group is not None and group["lag"] is not None:
        orphaned = length - int(group["pending"]) - int(group["lag"])
    elif group is not None:  # Redis cannot tell the lag when an entry behind the group's place was deleted
        orphaned = count_orphans(client, stream, parse_id(group["last-delivered-id"]))
    return Stream(
        parse_incarnation(incarnation),
        int(facts["entries-added"]),
        length,
        parse_id(facts["last-generated-id"]),
        orphaned,
    )


def walk_stream(client: redis.Redis, stream: str, last: EntryId) -> Iterator[list[EntryId]]:
    """Yield the ids that are in the stream, up to `last`, page by page: a million of them need no room at once."""
    for page in page_through(client, stream, f"{last[0]}-{last[1]}"):
        yield read_ids(page)


def count_orphans(client: redis.Redis, stream: str, last_delivered: EntryId) -> int:
    """Count the entries up to the group's place that are in the stream and pending with nobody, one by one."""
    orphans = 0
    for page in page_through(client, stream, f"{last_delivered[0]}-{last_delivered[1]}"):
        first, last = page[0][0], page[-1][0]
        pipeline = client.pipeline(transaction=True)  # an entry is acknowledged and deleted at one moment
        pipeline.xrange(stream, first, last)
        pipeline.xpending_range(stream, GROUP, first, last, count=2 * len(page))
        present, pending = pipeline.execute()
        orphans += len(set(read_ids(present)) - {parse_id(found["message_id"]) for found in pending})
    return orphans


def read_ids(page: Page) -> list[EntryId]:
    """Return the ids of a page."""
    return [parse_id(entry_id) for entry_id, _fields in page]


def read_incarnation(client: redis.Redis, stream: str) -> str | None:
    """Return the incarnation of the stream, or None before a drain has begun one."""
    return parse_incarnation(cast("bytes | None", client.get(f"{stream}:incarnation")))


def parse_incarnation(value: bytes | None) -> str | None:
    """Return an incarnation in the form in which Postgres writes it."""
    return str(UUID(value.decode())) if value else None


def parse_id(entry_id: bytes) -> EntryId:
    """Return an entry id as numbers."""
    milliseconds, _, counter = entry_id.partition(b"-")
    return int(milliseconds), int(counter)


def entry_key(entry_id: EntryId) -> tuple[datetime, int]:
    """Return an entry id as the columns (entered_at, sequence) of its receipt."""
    return EPOCH + timedelta(milliseconds=min(entry_id[0], LATEST)), entry_id[1]
