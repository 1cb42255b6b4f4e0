"""A connection to the database that is kept from run to run, and the drains that it is lent to."""

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from schemas.journal.append import connect_journal
from tests.gunicorn import wait_for
from tests.integration.conftest import Query
from tests.integration.test_drain import ALERT, push
from tests.integration.workers import run_worker
from workers.database import kept
from workers.database.kept import Kept
from workers.intake.drain import drain
from workers.settings import Workshop

BACKENDS = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'alert-intake drain' AND datname = current_database()"
)
NUMBERS = "SELECT last_position() AS last"
TABLES = ("alerts", "identities", "receipts", "endings", "raw_bodies", "totals", "events", "outbox")


@pytest.fixture
def keeper(workshop: Workshop) -> Iterator[Kept]:
    """Return a keeper, whose connection is closed in the end."""
    keeper = Kept(workshop.database_url, "drain")
    yield keeper
    keeper.close()


def test_drains_have_one_connection_after_each_other(workshop: Workshop, keeper: Kept, query: Query) -> None:
    """Two drains use one connection, and it stays when they have ended."""
    drain(workshop, "drain@test/0", 0.05, keeper)
    before = query(BACKENDS)
    drain(workshop, "drain@test/0", 0.05, keeper)
    assert query(BACKENDS) == before
    assert len(before) == 1


def test_new_connection_learns_the_tables(workshop: Workshop, keeper: Kept, query: Query) -> None:
    """An alert goes the whole way over each new connection, once, and nothing of it stays."""
    drain(workshop, "drain@test/0", 0.05, keeper)
    (after,) = query(NUMBERS)
    assert after == {"last": 1}
    drain(workshop, "drain@test/0", 0.05, keeper)
    assert query(NUMBERS) == [after]
    for table in TABLES:
        assert query(f"SELECT count(*) AS n FROM {table}") == [{"n": 0}], table  # noqa: S608 - names of tables, above


def test_old_connection_is_replaced(
    workshop: Workshop, keeper: Kept, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has been kept long enough is closed before the next run, which has another."""
    drain(workshop, "drain@test/0", 0.05, keeper)
    (before,) = query(BACKENDS)
    monkeypatch.setattr(kept, "KEPT", 0.0)
    drain(workshop, "drain@test/0", 0.05, keeper)
    assert len(query(BACKENDS)) == 1
    assert query(BACKENDS) != [before]


def test_restart_between_drains_fails_none(workshop: Workshop, keeper: Kept, query: Query) -> None:
    """A connection that the server has ended meanwhile is not lent again: the next drain stores over another."""
    drain(workshop, "drain@test/0", 0.05, keeper)
    (backend,) = query(BACKENDS)
    query("SELECT pg_terminate_backend(%s)", backend["pid"])
    wait_for(lambda: not query(BACKENDS))
    with connect_journal(workshop.journal_url, 5.0) as client:
        push(client, workshop, ALERT)
    assert drain(workshop, "drain@test/0", 0.5, keeper).endings == {"stored": 1}


def test_connection_on_which_a_run_failed_is_not_lent_again(keeper: Kept, query: Query) -> None:
    """Whatever ended a run, the next one begins on another connection."""
    with pytest.raises(psycopg.errors.DivisionByZero), keeper.lend() as database:
        database.execute("SELECT 1 / 0")
    assert database.closed
    with keeper.lend() as database:
        database.execute("SELECT 1")
    assert len(query(BACKENDS)) == 1


def test_connection_that_cannot_be_made_ready_is_closed(workshop: Workshop, query: Query) -> None:
    """Should what makes a new connection ready fail, nobody gets it, and it does not stay behind."""
    keeper = Kept(workshop.database_url, "drain", lambda database: database.execute("SELECT 1 / 0"))
    with pytest.raises(psycopg.errors.DivisionByZero):
        keeper.open()
    wait_for(lambda: not query(BACKENDS))


def test_worker_keeps_its_connection(environment: dict[str, str], tmp_path: Path, query: Query) -> None:
    """The drains of one process, tick after tick, use one connection."""
    configuration = Path(environment["ALERT_INTAKE_CONFIG"]).read_text()
    short = tmp_path / "config.toml"
    short.write_text(configuration + "\n[drain]\nseconds = 0.2\n")
    changed = environment | {"ALERT_INTAKE_CONFIG": str(short)}
    with run_worker(changed, tmp_path / "worker.log", "-Q", "drain", "-c", "1"):
        wait_for(lambda: query(BACKENDS))
        before = query(BACKENDS)
        assert len(before) == 1
        deadline = time.monotonic() + 3  # ticks come every second
        while time.monotonic() < deadline:
            assert query(BACKENDS) == before
            time.sleep(0.05)
