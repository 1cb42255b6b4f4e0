"""The Redis settings that the compose file mounts, tried on a real server."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from deploy.embedded.valkey import find_valkey
from schemas.journal.append import append_entry, connect_journal
from schemas.journal.room import check_room, measure_journal
from schemas.settings.journal import Journal
from tests.ports import free_port
from tests.tether import tether

CONF = Path(__file__).resolve().parents[2] / "deploy" / "redis"


@contextmanager
def run_server(name: str, folder: Path) -> Iterator[str]:
    """Run a server on one of our configuration files, moved to `folder`; yield its address."""
    (folder / "password").write_text("requirepass secret-of-the-test\n", encoding="ascii")
    text = (CONF / f"{name}.conf").read_text(encoding="utf-8")
    moved = text.replace(f"/run/secrets/{name}_password", str(folder / "password")).replace(
        "dir /data", f"dir {folder}"
    )
    assert moved.count(str(folder)) == 2
    port = free_port()
    (folder / "redis.conf").write_text(moved, encoding="utf-8")
    command = tether([find_valkey(), folder / "redis.conf", "--port", str(port), "--bind", "127.0.0.1"])
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            url = f"redis://:secret-of-the-test@127.0.0.1:{port}/0"
            wait_until_ready(url, process, folder / "log")
            yield url
        finally:
            process.send_signal(signal.SIGTERM)


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers, or fail with what it wrote."""
    deadline = time.monotonic() + 10
    with connect_journal(url, 1.0) as client:
        while True:
            try:
                client.ping()
            except redis.ConnectionError:
                assert process.poll() is None, log.read_text(encoding="utf-8")
                assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
                time.sleep(0.02)
            else:
                return


def test_journal_settings_prove_each_entry_durable(tmp_path: Path) -> None:
    """Under journal.conf an append is acknowledged with the proof of its fsync, and nothing may be evicted."""
    with run_server("journal", tmp_path) as url, connect_journal(url, 1.0) as client:
        assert append_entry(client, Journal(), {b"field": b"value"})
        state = measure_journal(client, Journal())
        check_room(state, Journal())
        assert (state.entries, state.limit) == (1, 1024**3)
        assert client.config_get("appendfsync")["appendfsync"] == "always"
        assert client.config_get("no-appendfsync-on-rewrite")["no-appendfsync-on-rewrite"] == "no"


def test_journal_settings_demand_the_password(tmp_path: Path) -> None:
    """The password of the included file is in force."""
    with run_server("journal", tmp_path) as url:
        stranger = redis.Redis.from_url(url.replace(":secret-of-the-test@", ""), protocol=2)
        with stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()


def test_broker_settings_keep_nothing(tmp_path: Path) -> None:
    """Under broker.conf nothing is written to disk and Celery's bindings are never evicted."""
    with run_server("broker", tmp_path) as url, connect_journal(url, 1.0) as client:
        assert client.config_get("appendonly")["appendonly"] == "no"
        assert client.config_get("save")["save"] == ""
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
