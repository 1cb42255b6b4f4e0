"""A forwarder's connection to the database, over several runs."""

import time
from pathlib import Path
from threading import Thread

import psycopg
import pytest

from tests.gunicorn import wait_for
from tests.integration.conftest import Query
from tests.integration.downstream import Receiver, announce, subscribe
from tests.integration.workers import run_worker
from workers.database import kept
from workers.delivery.forward import Forwarder
from workers.settings import Workshop

BACKENDS = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'alert-intake forward' AND datname = current_database()"
)


def test_connection_is_kept_from_run_to_run(quick: Workshop, query: Query) -> None:
    """Two runs use one connection, which listens to nothing between them."""
    forwarder = Forwarder(quick)
    forwarder.run(0.05)
    (first,) = query(BACKENDS)
    with forwarder.line.listen() as database:
        assert len(database.execute("SELECT pg_listening_channels()").fetchall()) == 1
    assert forwarder.line.open().execute("SELECT pg_listening_channels()").fetchall() == []
    forwarder.run(0.05)
    assert query(BACKENDS) == [first]
    forwarder.finish()


def test_connection_is_opened_anew_now_and_then(quick: Workshop, query: Query, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has been kept long enough is closed before the next run."""
    forwarder = Forwarder(quick)
    forwarder.run(0.05)
    before = forwarder.line.open()
    monkeypatch.setattr(kept, "KEPT", 0.0)
    forwarder.run(0.05)
    assert before.closed
    assert not forwarder.line.open().closed
    forwarder.finish()


def test_restart_between_runs_fails_none(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """A connection that the server has ended meanwhile is not used again: the next run delivers over another."""
    subscribe(quick, receiver.url)
    forwarder = Forwarder(quick)
    forwarder.run(0.05)
    announce(quick, "alert.created")
    (backend,) = query(BACKENDS)
    query("SELECT pg_terminate_backend(%s)", backend["pid"])
    wait_for(lambda: not query(BACKENDS))
    assert forwarder.run(0.5) == {"done": 1}
    forwarder.finish()


def test_connection_broken_in_a_run_is_not_used_again(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """The run whose connection breaks fails, and the next one delivers over another."""
    subscribe(quick, receiver.url)
    forwarder = Forwarder(quick)
    ending = Thread(target=end_connection, args=(query,))
    ending.start()
    with pytest.raises(psycopg.OperationalError):
        forwarder.run(20.0)
    ending.join()
    announce(quick, "alert.created")
    assert forwarder.run(0.5) == {"done": 1}
    forwarder.finish()


def end_connection(query: Query) -> None:
    """End the forwarder's connection as soon as there is one."""
    (backend,) = wait_for(lambda: query(BACKENDS))
    query("SELECT pg_terminate_backend(%s)", backend["pid"])


def test_worker_has_one_forwarder(environment: dict[str, str], tmp_path: Path, query: Query) -> None:
    """However many ticks a worker may take at once, one of them forwards, over one connection; others wait or end."""
    with run_worker(environment, tmp_path / "worker.log", "-Q", "forward", "-P", "threads", "-c", "4"):
        wait_for(lambda: query(BACKENDS))
        deadline = time.monotonic() + 4  # ticks come every second
        while time.monotonic() < deadline:
            assert len(query(BACKENDS)) == 1
            time.sleep(0.05)
