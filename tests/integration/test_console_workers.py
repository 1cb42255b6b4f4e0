"""Which workers the console calls alive, by the sessions of a real PostgreSQL."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Thread

import psycopg
import pytest
from psycopg.rows import dict_row

from console.books.workers import LIVE_SECONDS, find_sessions
from console.connections import Database
from workers.database.connections import connect_database
from workers.delivery.forward import Forwarder
from workers.delivery.pauses import LONGEST_SLEEP
from workers.settings import Workshop


@pytest.fixture
def database(workshop: Workshop) -> Iterator[Database]:
    """Return a connection that sees other sessions as they are at each statement."""
    with psycopg.connect(workshop.database_url, autocommit=True, row_factory=dict_row) as database:
        yield database


def measure_silence(database: Database) -> float:
    """Return for how long the one forward worker has done nothing."""
    (worker,) = find_sessions(database)
    assert worker.pool == "forward"
    return worker.silent(datetime.now(UTC))


def test_session_of_a_worker_that_asks_nothing_is_no_life(workshop: Workshop, database: Database) -> None:
    """Its silence grows while it only listens, and ends when it asks something, or another at its address does."""
    with connect_database(workshop.database_url, "forward") as kept:
        kept.execute("LISTEN something")
        time.sleep(1.2)
        silent = measure_silence(database)
        assert silent >= 1.2
        kept.execute("SELECT 1")
        assert measure_silence(database) < silent
        time.sleep(1.2)
        assert measure_silence(database) >= 1.2
        with connect_database(workshop.database_url, "forward"):
            assert measure_silence(database) < 1.2


def test_forwarder_that_waits_for_work_lives(workshop: Workshop, database: Database) -> None:
    """With nothing to do it asks the database more often than a worker may be silent for; between runs it does not."""
    assert LONGEST_SLEEP * 5 < LIVE_SECONDS
    forwarder = Forwarder(workshop)
    running = Thread(target=forwarder.run, args=[LONGEST_SLEEP * 4])
    running.start()
    try:
        time.sleep(LONGEST_SLEEP)
        (before,) = find_sessions(database)
        time.sleep(LONGEST_SLEEP * 2)
        (after,) = find_sessions(database)
        running.join()
        assert (after.seen_at - before.seen_at).total_seconds() >= LONGEST_SLEEP / 2
        time.sleep(LONGEST_SLEEP)
        assert measure_silence(database) >= LONGEST_SLEEP  # its session is kept, and no sign of life
    finally:
        running.join()
        forwarder.finish()
