"""A journal that is again what it was a moment ago, as after a failover: nothing twice, nothing swallowed."""

from collections.abc import Iterator
from typing import Any, cast

import psycopg
import pytest
import redis

from console.books.audit import audit_books
from schemas.journal.account import Account
from schemas.journal.append import GROUP, connect_journal
from tests.integration.conftest import Query
from tests.integration.test_drain import drain_all, push
from workers.intake.drain import drain
from workers.intake.incarnation import incarnation_key
from workers.settings import Workshop

STREAM = "alert-intake:journal"
PARTS = (STREAM, incarnation_key(STREAM))


@pytest.fixture
def client(workshop: Workshop) -> Iterator[redis.Redis]:
    """Return a client of the journal."""
    with connect_journal(workshop.journal_url, 5.0) as client:
        yield client


def remember(client: redis.Redis) -> dict[str, bytes]:
    """Return the journal as a replica has it at this moment."""
    return {key: cast("bytes", client.dump(key)) for key in PARTS}


def fall_back(client: redis.Redis, then: dict[str, bytes]) -> None:
    """Make the journal again what it was then."""
    for key, content in then.items():
        client.restore(key, 0, content, replace=True)


def audit(client: redis.Redis, workshop: Workshop) -> list[Account]:
    """Return the books."""
    with psycopg.connect(workshop.database_url, autocommit=True, row_factory=psycopg.rows.dict_row) as database:
        return audit_books(client, database, STREAM)


def alerts(*names: str) -> list[dict[str, str]]:
    """Return bodies of alerts with these ids."""
    return [{"alertId": name} for name in names]


def test_what_comes_again_has_no_second_effect_and_the_books_balance(
    client: redis.Redis, workshop: Workshop, query: Query
) -> None:
    """Settled entries that reappear are known, and settled ones that the journal forgot are not held against it."""
    push(client, workshop, *alerts("A1", "A2"))
    drain_all(client, workshop)
    push(client, workshop, *alerts("A3"))
    then = remember(client)
    push(client, workshop, *alerts("A4", "A5"))
    drain_all(client, workshop)
    fall_back(client, then)
    push(client, workshop, *alerts("A6"))
    assert drain_all(client, workshop) == {"stored": 1}
    drain(workshop, "drain@test/0", 0.1)
    (account,) = audit(client, workshop)
    assert (account.added, account.settled, account.waiting, account.balanced) == (6, 6, 0, True)
    assert query("SELECT count(*) AS n, max(duplicates) AS doubled FROM alerts") == [{"n": 6, "doubled": 0}]
    assert query("SELECT count(*) AS n FROM receipts")[0]["n"] == 6


def test_unsettled_entries_that_are_gone_are_missing_for_good(
    client: redis.Redis, workshop: Workshop, query: Query
) -> None:
    """Entries that were seen and are neither settled nor there are named missing, also once others have come."""
    push(client, workshop, *alerts("A1"))
    drain_all(client, workshop)
    then = remember(client)
    push(client, workshop, *alerts("A2", "A3"))
    query("UPDATE journals SET added = 3 RETURNING 1")  # as a drain notes it every second
    fall_back(client, then)
    push(client, workshop, *alerts("A4", "A5", "A6"))
    query("UPDATE journals SET added = 5 RETURNING 1")  # the counter had been further than it is now
    drain_all(client, workshop)
    for _ in range(2):
        (account,) = audit(client, workshop)
        assert (account.added, account.settled, account.missing) == (5, 4, 1)
        drain(workshop, "drain@test/0", 0.1)


def test_waiting_entries_are_carried_over(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """What still waits when a loss is booked is waiting, not missing."""
    push(client, workshop, *alerts("A1"))
    drain_all(client, workshop)
    push(client, workshop, *alerts("A2", "A3"))
    query("UPDATE journals SET added = 4 RETURNING 1")
    assert drain_all(client, workshop) == {"stored": 2}
    (account,) = audit(client, workshop)
    assert (account.added, account.settled, account.missing) == (4, 3, 1)


def test_books_balance_before_the_next_entry_comes(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """Receipts behind the last entry that the journal remembers are settled, not of the future."""
    drain(workshop, "drain@test/0", 0.1)
    push(client, workshop, *alerts("A1"))
    then = remember(client)
    push(client, workshop, *alerts("A2"))
    drain_all(client, workshop)
    fall_back(client, then)
    assert drain_all(client, workshop) == {}
    (account,) = audit(client, workshop)
    assert (account.added, account.settled, account.balanced) == (2, 2, True)


def test_recurring_entry_id_does_not_swallow_an_alert(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """A new primary whose clock is behind gives an id that has a receipt already: the alert is stored all the same."""
    drain(workshop, "drain@test/0", 0.1)
    then = remember(client)
    push(client, workshop, *alerts("A1"))
    ((entry_id, _fields),) = cast("Any", client.xrange(STREAM))
    drain_all(client, workshop)
    push(client, workshop, *alerts("A2"))
    ((_, fields),) = cast("Any", client.xrange(STREAM))
    fall_back(client, then)
    client.xadd(STREAM, fields, id=entry_id)
    assert drain_all(client, workshop) == {"stored": 1}
    assert query("SELECT count(*) AS n FROM alerts")[0]["n"] == 2
    assert client.xpending(STREAM, GROUP)["pending"] == 0
    drain(workshop, "drain@test/0", 0.1)
    (account,) = audit(client, workshop)
    assert (account.added, account.settled, account.balanced) == (2, 2, True)
    assert query("SELECT count(*) AS n FROM receipts")[0]["n"] == 2


def test_recurring_id_of_an_unreadable_entry_does_not_swallow_an_alert(
    client: redis.Redis, workshop: Workshop, query: Query
) -> None:
    """Nor does a receipt that names no request, that of an entry which is no envelope, keep an alert from storage."""
    drain(workshop, "drain@test/0", 0.1)
    then = remember(client)
    entry_id = client.xadd(STREAM, {"no": "envelope"})
    assert drain_all(client, workshop) == {"rejected": 1}
    push(client, workshop, *alerts("A2"))
    ((_, fields),) = cast("Any", client.xrange(STREAM))
    fall_back(client, then)
    client.xadd(STREAM, fields, id=cast("Any", entry_id))
    assert drain_all(client, workshop) == {"stored": 1}
    assert query("SELECT count(*) AS n FROM alerts")[0]["n"] == 1
