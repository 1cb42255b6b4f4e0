"""A forwarder's connection to the database, over several runs."""

import time
from pathlib import Path

import psycopg
import pytest

from tests.gunicorn import wait_for
from tests.integration.conftest import Query
from tests.integration.downstream import Receiver, announce, subscribe
from tests.integration.workers import run_worker
from workers.delivery import line
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
    monkeypatch.setattr(line, "KEPT", 0.0)
    forwarder.run(0.05)
    assert before.closed
    assert not forwarder.line.open().closed
    forwarder.finish()


def test_broken_connection_is_not_used_again(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """The run that finds its connection broken fails, and the next one delivers on another."""
    subscribe(quick, receiver.url)
    forwarder = Forwarder(quick)
    forwarder.run(0.05)
    announce(quick, "alert.created")
    (backend,) = query(BACKENDS)
    query("SELECT pg_terminate_backend(%s)", backend["pid"])
    with pytest.raises(psycopg.OperationalError):
        forwarder.run(0.05)
    assert forwarder.run(0.5) == {"done": 1}
    forwarder.finish()


def test_worker_has_one_forwarder(environment: dict[str, str], tmp_path: Path, query: Query) -> None:
    """However many ticks a worker may take at once, one of them forwards, over one connection; others wait or end."""
    with run_worker(environment, tmp_path / "worker.log", "-Q", "forward", "-P", "threads", "-c", "4"):
        wait_for(lambda: query(BACKENDS))
        deadline = time.monotonic() + 4  # ticks come every second
        while time.monotonic() < deadline:
            assert len(query(BACKENDS)) == 1
            time.sleep(0.05)
