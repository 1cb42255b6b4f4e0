"""However large what waits in the journal is, no more of it is in memory at once than one batch may have."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, cast
from uuid import uuid4

import pytest
import redis

from console.keys.uses import count_journal
from schemas.journal.append import GROUP, append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from schemas.journal.pages import FIRST, LONGEST, PAGE_BYTES, page_through
from schemas.journal.stream import count_orphans, parse_id, walk_stream
from tests.integration.conftest import Query
from workers.database.connections import connect_database
from workers.intake.consume import Consumer
from workers.intake.drain import drain
from workers.intake.incarnation import open_journal
from workers.intake.weight import MOST_BYTES, PIECE, weigh
from workers.settings import Workshop

STREAM = "alert-intake:journal"
NAME = "drain@test/0"
LARGE = MOST_BYTES // 3  # bytes: two of them go into one batch, sealed


@dataclass(slots=True)
class Taken:
    """The batches that were taken, by the request ids of their entries."""

    batches: list[list[str]] = field(default_factory=list)
    deliveries: set[int] = field(default_factory=set)

    @property
    def requests(self) -> list[str]:
        """All request ids in the order in which they were taken."""
        return [request for batch in self.batches for request in batch]


@pytest.fixture
def client(workshop: Workshop) -> Iterator[redis.Redis]:
    """Return a client of the journal."""
    with connect_journal(workshop.journal_url, 5.0) as client:
        yield client


def push(client: redis.Redis, workshop: Workshop, *sizes: int) -> list[str]:
    """Append an alert for each size, blown up to so many bytes; return their request ids."""
    requests = [uuid4().hex for _ in sizes]
    for request, size in zip(requests, sizes, strict=True):
        body = b'{"alertId": "%b"}%b' % (request.encode(), b" " * size)
        append_entry(
            client, workshop.configuration.journal, seal_envelope(Envelope("ethoca", body, request), workshop.keyring)
        )
    return requests


def begin(client: redis.Redis, workshop: Workshop, name: str = NAME) -> Consumer:
    """Return the hands of one drain."""
    with connect_database(workshop.database_url, "drain") as database:
        life = open_journal(client, database, STREAM)
    return Consumer(client, STREAM, life.incarnation, name, workshop.configuration.drain)


def take_all(consumer: Consumer) -> Taken:
    """Take batch after batch, settle each, and hold each against what it may have."""
    taken = Taken()
    while entries := consumer.take(0.1):
        assert len(entries) == 1 or weigh(entries) <= MOST_BYTES
        taken.batches.append([entry.fields[b"r"].decode() for entry in entries])
        taken.deliveries |= {entry.deliveries for entry in entries}
        consumer.settle(entries)
    return taken


def test_large_entries_come_in_small_batches(client: redis.Redis, workshop: Workshop) -> None:
    """A batch ends where it has enough; what was read beyond that comes next, in its order and unblamed."""
    pushed = push(client, workshop, *[LARGE] * 9, *[0] * 200, 2 * MOST_BYTES, *[LARGE] * 3, 0)
    taken = take_all(begin(client, workshop))
    assert (taken.requests, taken.deliveries) == (pushed, {1})
    assert client.xlen(STREAM) == 0


def test_small_entries_come_in_full_batches(client: redis.Redis, workshop: Workshop) -> None:
    """Small entries cost nothing for that: as many as a batch may have are taken together."""
    pushed = push(client, workshop, *[0] * (workshop.configuration.drain.batch + 7))
    taken = take_all(begin(client, workshop))
    assert [len(batch) for batch in taken.batches] == [workshop.configuration.drain.batch, 7]
    assert taken.requests == pushed


def test_large_leftovers_come_in_small_batches(client: redis.Redis, workshop: Workshop) -> None:
    """What was put back untried is taken over no more at once than what is new."""
    pushed = push(client, workshop, *[0] * (PIECE + 3), *[LARGE] * 9, 0)
    first = begin(client, workshop)
    for _ in range(20):
        entries = first.take_new(0.0)
        first.put_back(entries)
    taken = take_all(begin(client, workshop))
    assert (taken.requests, taken.deliveries) == (pushed, {1})


def test_drain_stores_large_entries_among_small_ones(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """All are stored, and none is left behind for a while."""
    push(client, workshop, *[0, LARGE, LARGE, 0] * 10)
    for _ in range(10):
        drain(workshop, NAME, 0.5)
    assert client.xlen(STREAM) == 0
    assert query("SELECT count(*) AS n FROM alerts") == [{"n": 40}]
    assert query("SELECT count(*) AS n FROM rejections") == [{"n": 0}]


def test_pages_are_as_long_as_entries_are_small(client: redis.Redis, workshop: Workshop) -> None:
    """Who only counts what is in the journal reads all of it: small pages of large entries, long ones of small."""
    large = PAGE_BYTES // 4
    push(client, workshop, *[0] * 600, *[large] * (LONGEST + 60), *[0] * 600)
    pages = list(page_through(client, STREAM))
    ids = [entry_id for entry_id, _fields in cast("Any", client.xrange(STREAM))]
    assert [entry_id for page in pages for entry_id, _fields in page] == ids
    assert (len(pages[0]), max(map(len, pages))) == (FIRST, LONGEST)
    heavy = [len(page) for page in pages if all(len(fields[b"b"]) > large for _entry_id, fields in page)]
    assert max(heavy[1:]) <= PAGE_BYTES // large
    last = parse_id(ids[-1])
    assert list(chain(*walk_stream(client, STREAM, last))) == [parse_id(entry_id) for entry_id in ids]
    assert count_journal(client, STREAM).total() == len(ids)
    client.xgroup_create(STREAM, GROUP, id=ids[-1])
    assert count_orphans(client, STREAM, last) == len(ids)
