"""Pushes that share an append, and what may happen to it: on a real journal, with faults injected for real."""

import http.client
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from deploy.embedded.engine import Server
from deploy.embedded.valkey import JOURNAL, start_valkey
from schemas.journal.append import JournalUnavailable, append_entries, connect_journal
from schemas.settings.journal import Journal
from tests.conftest import CertificateFiles
from tests.faults.proxy import Proxy
from tests.gunicorn import Process, run_door, wait_for
from tests.integration.door import STREAM, Answer, Equipment, Sender, equip

PUSHES = 12


@pytest.fixture(scope="module")
def journal(engines_folder: Path) -> Iterator[Server]:
    """Run a journal of this module's own, which may be hurt."""
    with start_valkey(engines_folder / "group", engines_folder / "group.log", JOURNAL) as server:
        yield server


@pytest.fixture
def client(journal: Server) -> Iterator[redis.Redis]:
    """Return a client of it, emptied."""
    with connect_journal(journal.url, 10.0) as client:
        client.flushall()
        yield client
        client.config_set("maxmemory", "256mb")


@pytest.fixture
def line(journal: Server, client: redis.Redis) -> Iterator[Proxy]:
    """Return a line to the journal that may be cut."""
    with Proxy(journal.port) as proxy:
        yield proxy


@pytest.fixture
def equipment(tmp_path: Path, certificates: CertificateFiles, journal: Server, line: Proxy) -> Equipment:
    """Configure a door whose journal is behind that line, with a timeout that a slow machine does not reach."""
    url = journal.url.replace(f":{journal.port}/", f":{line.port}/")
    equipment = equip(tmp_path / "door", certificates, url)
    equipment.configure(("[sealing]", "[journal]\ntimeout = 20.0\n\n[sealing]"))
    return equipment


@contextmanager
def stopped(journal: Server) -> Iterator[None]:
    """Let the journal stand still."""
    os.kill(journal.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(journal.process.pid, signal.SIGCONT)


def push_together(pool: ThreadPoolExecutor, sender: Sender, line: Proxy) -> list[Future[Answer | None]]:
    """Push over as many connections at once, and wait until the journal has been asked and the others wait behind."""
    ready = threading.Barrier(PUSHES + 1)

    def push(number: int) -> Answer | None:
        connection = sender.connect()
        connection.connect()
        ready.wait(30)
        try:
            return sender.push(body=b'{"alertId": "%d"}' % number, connection=connection)
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    pushes = [pool.submit(push, number) for number in range(PUSHES)]
    before = line.carried
    ready.wait(30)
    wait_for(lambda: line.carried > before)
    time.sleep(0.5)  # for those that come behind
    return pushes


def kept(client: redis.Redis) -> set[str]:
    """Return the request ids in the journal."""
    entries: Any = client.xrange(STREAM)
    return {fields[b"r"].decode() for _, fields in entries}


def test_entries_refused_beside_others(client: redis.Redis) -> None:
    """Redis at its limit in the middle of an append: what it took is promised, what it refused is not."""
    settings = Journal(timeout=10.0)
    memory: Any = client.info("memory")
    client.config_set("maxmemory", int(memory["used_memory"]) + 3_000_000)
    outcomes = append_entries(client, settings, [{b"b": os.urandom(20_000)} for _ in range(200)])
    taken = [outcome for outcome in outcomes if isinstance(outcome, str)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, JournalUnavailable)]
    assert taken
    assert refused
    assert {str(error).partition(":")[0] for error in refused} == {"OutOfMemoryError"}
    entries: Any = client.xrange(STREAM)
    assert [entry.decode() for entry, _ in entries] == taken


def test_read_only_journal_promises_nothing(client: redis.Redis) -> None:
    """An old primary that became a replica refuses every entry by itself, and none is taken for proved."""
    client.replicaof("127.0.0.1", "1")
    try:
        outcomes = append_entries(client, Journal(timeout=1.0), [{b"b": b"x"}] * 3)
        assert all(isinstance(outcome, JournalUnavailable) for outcome in outcomes)
    except JournalUnavailable:
        pass  # it may say so of WAITAOF, too: then it concerns all
    finally:
        client.replicaof("NO", "ONE")
    assert client.xlen(STREAM) == 0


def test_no_proof_for_all(client: redis.Redis) -> None:
    """Without an fsync in time nobody of a batch is promised anything, though Redis has taken all of it."""
    client.config_set("appendfsync", "no")
    try:
        with pytest.raises(JournalUnavailable, match="fsync"):
            append_entries(client, Journal(timeout=0.3), [{b"b": b"x"}] * 3)
    finally:
        client.config_set("appendfsync", "always")
    assert client.xlen(STREAM) == 3


def test_line_cut_between_the_answers(journal: Server, line: Proxy, client: redis.Redis) -> None:
    """The entries' ids have arrived and the line is cut before the proof: nobody of the batch is promised anything."""
    client.config_set("appendfsync", "no")  # so that the proof does not come
    url = journal.url.replace(f":{journal.port}/", f":{line.port}/")
    try:
        with connect_journal(url, 10.0) as cut, ThreadPoolExecutor(1) as pool:
            appending = pool.submit(append_entries, cut, Journal(timeout=10.0), [{b"b": b"x"}] * 3)
            wait_for(lambda: client.xlen(STREAM) == 3)
            line.cut()
            with pytest.raises(JournalUnavailable, match="ConnectionError"):
                appending.result(10)
    finally:
        client.config_set("appendfsync", "always")


def test_line_cut_after_the_write(equipment: Equipment, journal: Server, line: Proxy, client: redis.Redis) -> None:
    """The line is cut before the proof arrives: all that shared the append are refused, and the door goes on."""
    with run_door(equipment.environment, equipment.file.parent) as door, ThreadPoolExecutor(PUSHES) as pool:
        sender = equipment.ethoca(door)
        assert sender.push().status == 200
        with stopped(journal):
            pushes = push_together(pool, sender, line)
            line.cut()
            answers = [push.result(30) for push in pushes]
        assert [answer and answer.status for answer in answers] == [503] * PUSHES
        line.restore()
        wait_for(lambda: sender.push().status == 200)
        assert len(acknowledged(door)) == 2
        assert acknowledged(door) <= kept(client)


def test_sender_gone_while_it_waits(equipment: Equipment, journal: Server, line: Proxy, client: redis.Redis) -> None:
    """Senders who leave in the middle of a shared append take nobody with them, and their alerts are kept."""
    with run_door(equipment.environment, equipment.file.parent) as door, ThreadPoolExecutor(PUSHES) as pool:
        sender = equipment.ethoca(door)
        assert sender.push().status == 200
        with stopped(journal):
            gone = sender.connect()
            before = line.carried
            gone.request("POST", "/push/ethoca", b'{"alertId": "gone"}', headers_of(sender))
            wait_for(lambda: line.carried > before)
            pushes = push_waiting(pool, sender)
            gone.close()
        answers = [push.result(30) for push in pushes]
        assert all(answer is not None and answer.status == 200 for answer in answers)
        wait_for(lambda: len(acknowledged(door)) == PUSHES + 2)
        assert acknowledged(door) == kept(client)


def test_stopped_with_an_append_under_way(
    equipment: Equipment, journal: Server, line: Proxy, client: redis.Redis
) -> None:
    """SIGTERM in the middle of a shared append: the pushes that came are answered, each once it is kept."""
    with run_door(equipment.environment, equipment.file.parent) as door, ThreadPoolExecutor(PUSHES) as pool:
        sender = equipment.ethoca(door)
        assert sender.push().status == 200
        with stopped(journal):
            pushes = push_together(pool, sender, line)
            door.popen.terminate()
            wait_for(lambda: "Handling signal: term" in door.errors.read_text())
        statuses = {answer.status for push in pushes if (answer := push.result(30)) is not None}
        assert statuses == {200}
        assert acknowledged(door) == kept(client)


def test_killed_with_an_append_under_way(
    equipment: Equipment, journal: Server, line: Proxy, client: redis.Redis
) -> None:
    """A worker that is killed in the middle of a shared append has acknowledged nothing that is not kept."""
    with run_door(equipment.environment, equipment.file.parent) as door, ThreadPoolExecutor(PUSHES) as pool:
        sender = equipment.ethoca(door)
        assert sender.push().status == 200
        with stopped(journal):
            pushes = push_together(pool, sender, line)
            (worker,) = {found["process"] for found in door.written() if found["event"] == "worker ready"}
            os.kill(worker, signal.SIGKILL)
            assert [push.result(30) for push in pushes] == [None] * PUSHES
        wait_for(lambda: door.ready() == 2)
        wait_for(lambda: sender.push().status == 200)
        assert acknowledged(door) <= kept(client)


def push_waiting(pool: ThreadPoolExecutor, sender: Sender) -> list[Future[Answer]]:
    """Push over as many connections, each to wait for the append that is under way."""
    return [pool.submit(sender.push, body=b'{"alertId": "%d"}' % number) for number in range(PUSHES)]


def headers_of(sender: Sender) -> dict[str, str]:
    """Return the headers of a push."""
    return {"Content-Type": "application/json", **sender.headers}


def acknowledged(door: Process) -> set[str]:
    """Return the request ids of the acknowledged pushes, as the door's log tells them."""
    return {found["request_id"] for found in door.lines() if found["event"] == "acknowledged"}
