"""Retention on a real PostgreSQL with partitions of past months: what goes, what stays, and who waits for it."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest
import redis

from console.books.audit import audit_books
from console.connections import open_database
from schemas.journal.append import GROUP, append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from schemas.settings.retention import Retention
from tests.gunicorn import wait_for
from tests.integration.conftest import Query
from workers.database.connections import connect_database
from workers.deadline import Deadline
from workers.intake.drain import drain
from workers.settings import Workshop
from workers.upkeep import partitions
from workers.upkeep.consumers import forget_consumers
from workers.upkeep.removal import Removed, first_id_of
from workers.upkeep.retention import enforce_retention, maintain, month_of

STREAM = "alert-intake:journal"
SILENT = 2.0  # seconds
PARENTS = ("receipts", "endings", "raw_bodies", "revisions", "attempts")
DAYS = 62  # on whichever day of a month: so long ago it was the month before the last one, or an earlier one
SHORT = Retention(raw_bodies=DAYS, receipts=DAYS, revisions=DAYS, attempts=DAYS)
NOW = datetime.now(UTC)
THIS_MONTH = NOW.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
def client(workshop: Workshop) -> Iterator[redis.Redis]:
    """Return a client of the journal."""
    with connect_journal(workshop.journal_url, 5.0) as client:
        yield client


def months_ago(number: int) -> datetime:
    """Return the beginning of a month of the past."""
    month = THIS_MONTH
    for _ in range(number):
        month = (month - timedelta(days=1)).replace(day=1)
    return month


def make_month(query: Query, number: int) -> str:
    """Make the partitions of a month of the past; return the ending of their names."""
    first, last = months_ago(number), months_ago(number - 1)
    for parent in PARENTS:
        query(
            f"SELECT 1; CREATE TABLE {parent}_{first:%Y_%m} PARTITION OF {parent}"  # noqa: S608 - of our own
            f" FOR VALUES FROM ('{first.isoformat()}') TO ('{last.isoformat()}')"
        )
    return f"{first:%Y_%m}"


def push(client: redis.Redis, workshop: Workshop, query: Query, *moments: datetime) -> None:
    """Append alerts to the journal as it stood at these moments, in order, and drain them."""
    for moment in moments:
        append_entry_at(client, workshop, {"alertId": uuid4().hex}, moment)
    drain_all(client, workshop)


def append_entry_at(client: redis.Redis, workshop: Workshop, body: object, moment: datetime) -> None:
    """Append an entry under the id that it would have got then."""
    fields: Any = seal_envelope(Envelope("ethoca", json.dumps(body).encode()), workshop.keyring)
    client.xadd(STREAM, fields, id=f"{int(moment.timestamp() * 1000)}-*")


def drain_all(client: redis.Redis, workshop: Workshop) -> None:
    """Drain until the journal is empty."""
    for _attempt in range(50):
        drain(workshop, "drain@test/0", 0.2)
        if not client.xlen(STREAM):
            return
    pytest.fail("the journal was not drained")


def enforce(workshop: Workshop, oldest_entry: datetime | None = NOW, settings: Retention = SHORT) -> Removed:
    """Enforce retention as the maintain task does."""
    with connect_database(workshop.database_url, "test") as database:
        return enforce_retention(database, settings, oldest_entry, Deadline(60))


def count(query: Query, table: str) -> int:
    """Count the rows of a table."""
    return int(query(f"SELECT count(*) AS n FROM {table}")[0]["n"])  # noqa: S608 - of our own


def test_months_past_their_time_are_dropped_and_the_books_still_balance(
    client: redis.Redis, workshop: Workshop, query: Query
) -> None:
    """Receipts, endings and raw bodies of old months go; alerts stay, the totals too, and `audit` balances."""
    old, kept = make_month(query, 5), make_month(query, 2)
    push(client, workshop, query, months_ago(5) + timedelta(days=3), months_ago(2) + timedelta(days=3), NOW)
    assert count(query, f"receipts_{old}") == count(query, f"raw_bodies_{kept}") == 1
    removed = enforce(workshop)
    assert removed.partitions == [f"{parent}_{old}" for parent in ("raw_bodies", "endings", "receipts", "revisions",
                                                                   "attempts")]  # fmt: skip
    assert removed.postponed == []
    assert (count(query, "receipts"), count(query, "endings"), count(query, "raw_bodies")) == (2, 2, 2)
    assert count(query, "alerts") == 3
    with open_database() as database:
        (account,) = audit_books(client, database, STREAM)
        assert (account.added, account.settled, account.waiting, account.balanced) == (3, 3, 0, True)
    assert enforce(workshop).partitions == []
    push(client, workshop, query, NOW + timedelta(seconds=1))
    with open_database() as database:
        assert audit_books(client, database, STREAM)[0].balanced


def test_rows_of_the_default_partition_go_in_batches(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """Rows whose month has no partition of its own are deleted, however many; later ones stay."""
    query(
        "SELECT 1; INSERT INTO receipts (entered_at, sequence, incarnation)"
        " SELECT %s, n, gen_random_uuid() FROM generate_series(1, 2500) n".replace(
            "%s", f"'{months_ago(6).isoformat()}'"
        )
    )
    push(client, workshop, query, months_ago(6) + timedelta(days=1), months_ago(1), NOW)
    removed = enforce(workshop)
    assert removed.rows == {"receipts": 2501, "endings": 1, "raw_bodies": 1}
    assert count(query, "receipts") == 2


def test_receipts_stay_while_their_entries_are_in_the_journal(
    client: redis.Redis, workshop: Workshop, query: Query
) -> None:
    """An entry that waits, however old, keeps the receipts of its month and later; an unknown journal keeps all."""
    old = make_month(query, 5)
    push(client, workshop, query, months_ago(5) + timedelta(days=3))
    assert f"receipts_{old}" not in enforce(workshop, None).partitions
    append_entry_at(client, workshop, {"alertId": "waits"}, months_ago(5) + timedelta(days=4))
    maintain(short_of(workshop))
    assert count(query, f"receipts_{old}") == 1
    drain_all(client, workshop)
    maintain(short_of(workshop))
    assert query("SELECT to_regclass(%s) AS gone", f"receipts_{old}") == [{"gone": None}]


def test_nobody_is_kept_waiting_for_a_partition_that_is_in_use(
    client: redis.Redis, workshop: Workshop, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a long query reads a partition, retention gives way, drains go on, and the next round drops it."""
    old = make_month(query, 5)
    monkeypatch.setattr(partitions, "LOCK_PAUSE", 0.05)
    slowest, ended = 0.0, threading.Event()
    removed: list[Removed] = []

    def enforce_aside() -> None:
        removed.append(enforce(workshop))
        ended.set()

    with psycopg.connect(workshop.database_url) as reader:
        reader.execute(f"SELECT count(*) FROM receipts_{old}")  # noqa: S608 - of our own; its lock is held on
        aside = threading.Thread(target=enforce_aside)
        aside.start()
        with psycopg.connect(workshop.database_url, autocommit=True) as writer:
            while not ended.is_set():
                began = time.monotonic()
                writer.execute(
                    "INSERT INTO receipts (entered_at, sequence, incarnation) VALUES (now(), 1, gen_random_uuid())"
                )
                slowest = max(slowest, time.monotonic() - began)
        aside.join()
    assert f"receipts_{old}" in removed[0].postponed
    assert f"attempts_{old}" in removed[0].partitions
    assert slowest < 2 * partitions.LOCK_MILLISECONDS / 1000
    assert enforce(workshop).partitions == [f"receipts_{old}"]


def test_delivered_items_go_and_undelivered_ones_stay_with_their_events(
    client: redis.Redis, workshop: Workshop, query: Query
) -> None:
    """Of old outbox items only the delivered ones go, and only events that no item needs."""
    subscribe(query)
    push(client, workshop, query, *(NOW + timedelta(seconds=number) for number in range(4)))
    states = ("delivered", "due", "given_up", "delivered")
    for number, row in enumerate(query("SELECT id, event_id FROM outbox ORDER BY position")):
        age = 0 if number == 3 else 200
        move_back(query, row["id"], row["event_id"], states[number], age)
    removed = enforce(workshop)
    assert removed.rows == {"outbox": 1, "events": 1}
    left = query("SELECT state, count(*) AS n FROM outbox o JOIN events e ON e.id = event_id GROUP BY 1 ORDER BY 1")
    assert [(row["state"], row["n"]) for row in left] == [("delivered", 1), ("due", 1), ("given_up", 1)]
    assert count(query, "events") == 3


def test_closed_rejections_go_and_open_ones_stay(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """A rejection that nobody has dealt with stays for good; a closed one goes with the raw bodies."""
    for _ in range(3):
        append_entry(client, workshop.configuration.journal, seal_envelope(Envelope("ethoca", b"{"), workshop.keyring))
    drain_all(client, workshop)
    query("UPDATE rejections SET rejected_at = now() - interval '2 years' RETURNING 1")
    ids = [row["id"] for row in query("SELECT id FROM rejections ORDER BY id")]
    query("UPDATE rejections SET state = 'discarded', closed_at = now() - interval '1 year' WHERE id = %s"
          " RETURNING 1", ids[0])  # fmt: skip
    query("UPDATE rejections SET state = 'replayed', closed_at = now() WHERE id = %s RETURNING 1", ids[1])
    assert enforce(workshop).rows == {"rejections": 1}
    assert [row["state"] for row in query("SELECT state FROM rejections ORDER BY id")] == ["replayed", "open"]


def test_replay_of_which_nobody_knows_the_ending_stays_as_long_as_receipts(
    client: redis.Redis, workshop: Workshop, query: Query
) -> None:
    """The body of a replay without a receipt, which may be lost, outlasts other closed rejections; not the receipts."""
    append_entry(client, workshop.configuration.journal, seal_envelope(Envelope("ethoca", b"{"), workshop.keyring))
    drain_all(client, workshop)
    query("UPDATE rejections SET state = 'replayed', replayed_as = gen_random_uuid(),"
          " closed_at = now() - interval '1 year' RETURNING 1")  # fmt: skip
    assert enforce(workshop, settings=Retention()).rows == {"rejections": 1}
    append_entry(client, workshop.configuration.journal, seal_envelope(Envelope("ethoca", b"{"), workshop.keyring))
    drain_all(client, workshop)
    query("UPDATE rejections SET state = 'replayed', replayed_as = gen_random_uuid(),"
          " closed_at = now() - interval '1 year' RETURNING 1")  # fmt: skip
    make_month(query, 13)
    query("INSERT INTO receipts (entered_at, sequence, incarnation) VALUES (%s, 0, gen_random_uuid()) RETURNING 1",
          months_ago(13))  # fmt: skip
    assert enforce(workshop, settings=Retention()).rows == {}


def test_two_workers_do_not_maintain_at_once(workshop: Workshop, query: Query) -> None:
    """Whoever comes while another maintains leaves it to that one."""
    old = make_month(query, 5)
    with connect_database(workshop.database_url, "test") as other:
        other.execute("SELECT pg_advisory_lock(hashtext('alert-intake maintain'))")
        maintain(short_of(workshop))
        assert query("SELECT to_regclass(%s) IS NULL AS gone", f"receipts_{old}") == [{"gone": False}]
    maintain(short_of(workshop))
    assert query("SELECT to_regclass(%s) IS NULL AS gone", f"receipts_{old}") == [{"gone": True}]


def test_month_counts_from_its_end() -> None:
    """A month may go when its end lies as many days back as it is to be kept, and not a day earlier."""
    end_of_june = datetime(2026, 7, 1, tzinfo=UTC)
    assert month_of(end_of_june + timedelta(days=90), 90) == end_of_june
    assert month_of(end_of_june + timedelta(days=90) - timedelta(microseconds=1), 90) < end_of_june


def test_bound_of_ids_lies_below_every_id_of_its_moment() -> None:
    """A UUIDv7 made at a moment is not below the bound of that moment, and below that of the next millisecond."""
    moment = datetime(2026, 7, 1, tzinfo=UTC)
    made = UUID(int=(int(moment.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62))
    assert first_id_of(moment) < made < first_id_of(moment + timedelta(milliseconds=1))


def short_of(workshop: Workshop) -> Workshop:
    """Return the workshop with a short retention."""
    return replace(workshop, configuration=msgspec.structs.replace(workshop.configuration, retention=SHORT))


def subscribe(query: Query) -> None:
    """Add a subscription to everything; nothing is sent to it here."""
    query(
        "INSERT INTO subscriptions (id, name, url, events, sealed) VALUES"
        " (gen_random_uuid(), 'all', 'https://downstream.example/', '{*}', '') RETURNING 1"
    )


def move_back(query: Query, outbox_id: UUID, event_id: UUID, state: str, days: int) -> None:
    """Make an outbox item and its event so many days older, their ids too, and end it."""
    then = datetime.now(UTC) - timedelta(days=days)
    older = UUID(int=first_id_of(then).int | (7 << 76) | (uuid4().int & ((1 << 76) - 1)))
    query("SELECT 1; ALTER TABLE outbox DISABLE TRIGGER ALL; ALTER TABLE events DISABLE TRIGGER ALL")
    query("UPDATE events SET id = %s, created_at = %s WHERE id = %s RETURNING 1", older, then, event_id)
    query(
        "UPDATE outbox SET id = %s, event_id = %s, created_at = %s, state = %s, ended_at = %s WHERE id = %s"
        " RETURNING 1",
        older, older, then, state, None if state == "due" else then, outbox_id,
    )  # fmt: skip
    query("SELECT 1; ALTER TABLE outbox ENABLE TRIGGER ALL; ALTER TABLE events ENABLE TRIGGER ALL")


def list_consumers(client: redis.Redis) -> dict[str, int]:
    """Return the consumers of the journal's group, each with what it has in hand."""
    consumers: Any = client.xinfo_consumers(STREAM, GROUP)
    return {consumer["name"].decode(): consumer["pending"] for consumer in consumers}


def forgettable(client: redis.Redis) -> int:
    """Return how many consumers have asked for nothing for a while."""
    consumers: Any = client.xinfo_consumers(STREAM, GROUP)
    return sum(consumer["idle"] >= SILENT * 1000 for consumer in consumers)


def test_consumers_that_are_gone_are_forgotten_with_nothing_in_hand(workshop: Workshop, client: redis.Redis) -> None:
    """Of those that were silent for long only one with entries in hand stays, and one that asks stays as well."""
    assert forget_consumers(client, STREAM, 0.0) == 0  # no group yet
    append_entry_at(client, workshop, {"alertId": "A1"}, NOW)
    client.xgroup_create(STREAM, GROUP, id="0")
    client.xreadgroup(GROUP, "holding@gone/0", {STREAM: ">"})
    client.xreadgroup(GROUP, "empty@gone/0", {STREAM: ">"})
    wait_for(lambda: forgettable(client) == 2)
    client.xreadgroup(GROUP, "living@here/0", {STREAM: ">"})
    assert forget_consumers(client, STREAM, 60.0) == 0
    assert forget_consumers(client, STREAM, SILENT) == 1
    assert list_consumers(client) == {"holding@gone/0": 1, "living@here/0": 0}
    assert client.xpending(STREAM, GROUP)["pending"] == 1


def test_maintenance_forgets_them(workshop: Workshop, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hourly task does it, after a day of silence; here at once."""
    client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    client.xreadgroup(GROUP, "empty@gone/0", {STREAM: ">"})
    maintain(workshop)
    assert list_consumers(client) == {"empty@gone/0": 0}
    monkeypatch.setattr(forget_consumers, "__defaults__", (0.0,))
    maintain(workshop)
    assert list_consumers(client) == {}
