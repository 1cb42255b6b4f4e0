"""The books, on a real Valkey and a real PostgreSQL: exact while drains run, and they notice every loss."""

import json
import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis

from console.books.acknowledged import Acknowledgement, audit_acknowledgements, read_acknowledgements
from console.books.audit import audit_books, present_books
from console.connections import Database, open_database
from schemas.journal.account import Account
from schemas.journal.append import GROUP, append_entry, connect_journal
from schemas.journal.books import read_accounts, read_recorded
from schemas.journal.envelope import Envelope, seal_envelope
from schemas.journal.inside import keep_ids
from schemas.journal.stream import read_stream, walk_stream
from tests.integration.conftest import Query
from workers.intake.drain import drain
from workers.settings import Workshop

STREAM = "alert-intake:journal"


@pytest.fixture
def client(workshop: Workshop) -> Iterator[redis.Redis]:
    """Return a client of the journal."""
    with connect_journal(workshop.journal_url, 5.0) as client:
        yield client


@pytest.fixture
def database(workshop: Workshop) -> Iterator[Database]:
    """Return the console's read-only connection."""
    with open_database() as database:
        yield database


def push(client: redis.Redis, workshop: Workshop, number: int) -> list[Acknowledgement]:
    """Append alerts as the door does; return what its log would say."""
    lines = []
    for _ in range(number):
        envelope = Envelope("ethoca", json.dumps({"alertId": uuid4().hex}).encode())
        entry_id = append_entry(client, workshop.configuration.journal, seal_envelope(envelope, workshop.keyring))
        lines.append(Acknowledgement(envelope.request_id, entry_id))
    return lines


def drain_all(client: redis.Redis, workshop: Workshop) -> None:
    """Drain until the journal is empty."""
    for _ in range(50):
        drain(workshop, "drain@test/0", 0.2)
        if not client.xlen(STREAM):
            return
    pytest.fail("the journal was not drained")


def counts(account: Account) -> tuple[int, int, int, int]:
    """Return the numbers of an account."""
    return account.added, account.settled, account.waiting, account.orphaned


def test_books_of_an_empty_journal_balance(client: redis.Redis, database: Database) -> None:
    """Before the first push and the first drain there is nothing, and nothing is missing."""
    (account,) = audit_books(client, database, STREAM)
    assert account == Account(None, current=True, added=0, settled=0, waiting=0)
    assert account.balanced


def test_books_count_what_waits_and_what_is_settled(
    client: redis.Redis, workshop: Workshop, database: Database
) -> None:
    """Entries wait before any drain has run; after it they are settled; later ones wait again."""
    push(client, workshop, 3)
    assert counts(audit_books(client, database, STREAM)[0]) == (3, 0, 3, 0)
    drain_all(client, workshop)
    assert counts(audit_books(client, database, STREAM)[0]) == (3, 3, 0, 0)
    push(client, workshop, 2)
    books = present_books(audit_books(client, database, STREAM))
    assert books == {"balanced": True, "added": 5, "settled": 3, "waiting": 2, "orphaned": 0, "unaccounted": []}


def test_entry_that_was_committed_and_not_settled_counts_once(
    client: redis.Redis, workshop: Workshop, database: Database
) -> None:
    """A kill between commit and settle leaves an entry with a receipt in the stream: settled, not waiting."""
    push(client, workshop, 1)
    entries: Any = client.xrange(STREAM)
    ((entry_id, fields),) = entries
    drain_all(client, workshop)
    client.delete(STREAM)
    client.xadd(STREAM, fields, id=entry_id)
    client.xgroup_create(STREAM, GROUP, id="0")
    assert counts(audit_books(client, database, STREAM)[0]) == (1, 1, 0, 0)


def test_books_are_exact_while_two_drains_run(client: redis.Redis, workshop: Workshop, database: Database) -> None:
    """Every audit during a load of pushes and drains balances, and sees both settled and waiting entries."""
    stop = threading.Event()

    def keep_pushing() -> None:
        with connect_journal(workshop.journal_url, 5.0) as own:
            while not stop.is_set():
                push(own, workshop, 5)

    def keep_draining(name: str) -> None:
        while not stop.is_set():
            drain(workshop, name, 0.3)

    threads = [threading.Thread(target=keep_pushing)]
    threads += [threading.Thread(target=keep_draining, args=[f"drain@test/{number}"]) for number in range(2)]
    for thread in threads:
        thread.start()
    seen: list[Account] = []
    try:
        while len(seen) < 40 or not any(account.waiting for account in seen):
            (account,) = audit_books(client, database, STREAM)
            seen.append(account)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert [account for account in seen if not account.balanced] == []
    assert seen[-1].settled > seen[0].settled
    drain_all(client, workshop)
    (account,) = audit_books(client, database, STREAM)
    assert (account.balanced, account.waiting) == (True, 0)
    assert account.added == client.xinfo_stream(STREAM)["entries-added"]


def test_what_came_after_the_counter_was_read_is_left_out(
    client: redis.Redis, workshop: Workshop, database: Database
) -> None:
    """Between reading the stream and the receipts drains go on: what they settle of later entries is not counted."""
    push(client, workshop, 2)
    drain_all(client, workshop)
    push(client, workshop, 3)
    recorded, seen = read_recorded(database), read_stream(client, STREAM)
    inside = keep_ids(walk_stream(client, STREAM, seen.last_id))
    push(client, workshop, 4)
    drain_all(client, workshop)
    (account,) = read_accounts(database, seen, inside, recorded)
    assert counts(account) == (5, 5, 0, 0)
    assert counts(audit_books(client, database, STREAM)[0]) == (9, 9, 0, 0)


def test_audit_of_many_entries_takes_little_room(client: redis.Redis, workshop: Workshop, database: Database) -> None:
    """What waits costs an audit tens of bytes an entry, not a hundred: a million fit into the console's container."""
    pipeline = client.pipeline(transaction=False)
    for number in range(1, 20_001):
        pipeline.xadd(STREAM, {b"v": b"9"}, id=f"1790000000000-{number}")
    pipeline.execute()
    audit_books(client, database, STREAM)  # what is loaded once is loaded
    tracemalloc.start()
    try:
        (account,) = audit_books(client, database, STREAM)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert counts(account) == (20_000, 0, 20_000, 0)
    page = 1_000_000  # bytes, for what is read and looked up at a time
    assert peak < page + 20_000 * 30


def test_entry_that_was_deleted_unsettled_is_missing(
    client: redis.Redis, workshop: Workshop, database: Database
) -> None:
    """An entry that somebody deleted from the stream without a receipt is found missing."""
    push(client, workshop, 2)
    drain_all(client, workshop)
    lost = push(client, workshop, 1)
    client.xdel(STREAM, lost[0].entry_id)
    books = present_books(audit_books(client, database, STREAM))
    assert (books["balanced"], books["added"], books["settled"], books["waiting"]) == (False, 3, 2, 0)
    (unaccounted,) = books["unaccounted"]
    assert unaccounted["entries"] == 1


def test_entry_whose_consumer_was_deleted_is_orphaned(
    client: redis.Redis, workshop: Workshop, database: Database
) -> None:
    """XGROUP DELCONSUMER drops what its consumer had in hand: it is in the stream, and nobody will ever get it."""
    push(client, workshop, 3)
    client.xgroup_create(STREAM, GROUP, id="0")
    client.xreadgroup(GROUP, "somebody", {STREAM: ">"}, count=2)
    assert counts(audit_books(client, database, STREAM)[0]) == (3, 0, 3, 0)
    client.xgroup_delconsumer(STREAM, GROUP, "somebody")
    assert counts(audit_books(client, database, STREAM)[0]) == (3, 0, 3, 2)


def test_orphans_are_counted_where_redis_cannot_tell_the_lag(
    client: redis.Redis, workshop: Workshop, database: Database
) -> None:
    """After a deletion ahead of the group Redis gives no lag; the entries are then looked at one by one."""
    pushed = push(client, workshop, 4)
    client.xgroup_create(STREAM, GROUP, id="0")
    client.xreadgroup(GROUP, "somebody", {STREAM: ">"}, count=2)
    client.xdel(STREAM, pushed[2].entry_id)
    assert client.xinfo_groups(STREAM)[0]["lag"] is None
    assert audit_books(client, database, STREAM)[0].orphaned == 0
    client.xgroup_delconsumer(STREAM, GROUP, "somebody")
    assert audit_books(client, database, STREAM)[0].orphaned == 2


def test_journal_that_was_emptied_leaves_its_loss_in_the_books(
    client: redis.Redis, workshop: Workshop, database: Database, query: Query
) -> None:
    """What an emptied Redis took with it stays missing under its incarnation, while the new one balances."""
    push(client, workshop, 3)
    drain_all(client, workshop)
    first = client.get(f"{STREAM}:incarnation")
    push(client, workshop, 2)
    query("UPDATE journals SET added = 5 RETURNING 1")  # as a drain notes it every second
    client.flushall()
    push(client, workshop, 1)
    drain_all(client, workshop)
    current, earlier = audit_books(client, database, STREAM)
    assert counts(current) == (1, 1, 0, 0)
    assert (counts(earlier), earlier.missing, earlier.current) == ((5, 3, 0, 0), 2, False)
    assert isinstance(first, bytes)
    assert present_books([current, earlier])["unaccounted"] == [{"incarnation": first.decode(), "entries": 2}]


def test_journal_that_went_backwards_is_noticed_before_a_drain_notices(
    client: redis.Redis, workshop: Workshop, database: Database, query: Query
) -> None:
    """A Redis restored from an older file counts fewer entries than were seen: the difference is missing."""
    push(client, workshop, 3)
    drain_all(client, workshop)
    query("UPDATE journals SET added = 7 RETURNING 1")
    (account,) = audit_books(client, database, STREAM)
    assert (account.added, account.settled, account.missing, account.balanced) == (7, 3, 4, False)


def test_acknowledged_requests_are_settled_waiting_or_named(
    client: redis.Redis, workshop: Workshop, database: Database
) -> None:
    """Of the door's log each request is found, by its receipt or in the stream; one that is in neither is named."""
    settled = push(client, workshop, 3)
    drain_all(client, workshop)
    waiting = push(client, workshop, 2)
    lost = Acknowledgement(uuid4().hex, "1700000000000-0")
    broken = Acknowledgement("not a request id", "not an entry id")
    found = audit_acknowledgements(client, database, STREAM, [*settled, lost, *waiting, broken])
    assert (found.read, found.settled, found.waiting) == (7, 3, 2)
    assert found.unaccounted == [lost, broken]


def test_entry_that_could_not_be_read_is_found_by_its_entry_id(
    client: redis.Redis, workshop: Workshop, database: Database
) -> None:
    """The receipt of an entry that is no envelope names no request; its entry id settles the acknowledgement."""
    entry_id = client.xadd(STREAM, {b"v": b"9"})
    assert isinstance(entry_id, bytes)
    drain_all(client, workshop)
    found = audit_acknowledgements(client, database, STREAM, [Acknowledgement(uuid4().hex, entry_id.decode())])
    assert (found.settled, found.unaccounted) == (1, [])


def test_acknowledgements_are_read_from_a_mixed_log() -> None:
    """Other lines of the log, broken ones too, are passed over."""
    lines = [
        b"not json\n",
        b'"acknowledged"\n',
        b'{"event": "refused", "request_id": "a", "entry_id": "1-0"}\n',
        b'{"event": "acknowledged", "request_id": "b", "entry_id": null}\n',
        b'{"event": "acknowledged", "request_id": "c", "entry_id": "1-0"}\n',
    ]
    assert list(read_acknowledgements(lines)) == [Acknowledgement("c", "1-0")]
