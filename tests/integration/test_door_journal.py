"""The door and its journal: nothing is acknowledged that is not durably kept, and the door comes back by itself."""

import http.client
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from deploy.embedded.engine import Server
from deploy.embedded.valkey import BROKER, JOURNAL, start_valkey
from tests.conftest import CertificateFiles
from tests.gunicorn import run_door, run_platform, wait_for
from tests.integration.door import STREAM, Answer, Equipment, Sender, equip


@pytest.fixture
def folder(engines_folder: Path, tmp_path: Path) -> Path:
    """Return a short folder of this test's own."""
    return engines_folder / tmp_path.name


@pytest.fixture
def journal(folder: Path) -> Iterator[Server]:
    """Run a journal that may be hurt."""
    with start_valkey(folder, folder.with_suffix(".log"), JOURNAL) as server:
        yield server


@pytest.fixture
def equipment(tmp_path: Path, certificates: CertificateFiles, journal: Server) -> Equipment:
    """Configure a door for that journal."""
    return equip(tmp_path / "door", certificates, journal.url)


def assert_unavailable(answer: Answer, code: str = "JOURNAL_UNAVAILABLE") -> None:
    """Check that a push was put off, not lost and not promised."""
    assert answer.status == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert (answer.fault["ReasonCode"], answer.fault["Recoverable"]) == (code, True)


def push_until(sender: Sender, status: int) -> Answer:
    """Push until the door answers so."""

    def answered() -> Answer | None:
        answer = sender.push()
        assert answer.status in {200, 503}
        return answer if answer.status == status else None

    return wait_for(answered)  # type: ignore[return-value]  # what is waited for is not None


def test_journal_killed_and_back(equipment: Equipment, journal: Server, folder: Path) -> None:
    """While the journal is gone every push is 503; when it is back the door goes on, with all it had acknowledged."""
    with run_door(equipment.environment, equipment.file.parent) as door:
        sender = equipment.ethoca(door)
        assert sender.push().status == 200
        journal.process.kill()
        journal.process.wait()
        for _ in range(3):
            assert_unavailable(sender.push())
        assert_unavailable(sender.push(body=b"no JSON"))
        with start_valkey(folder, folder.with_suffix(".log"), JOURNAL, port=journal.port):
            push_until(sender, 200)
            assert len(equipment.journaled()) == 2
        assert {line["event"] for line in door.lines()} == {"acknowledged", "failed"}


def test_journal_stalls(equipment: Equipment, journal: Server) -> None:
    """A journal that does not answer is a refusal after about a second, and its late answers are never mixed up."""
    with run_door(equipment.environment, equipment.file.parent) as door:
        sender = equipment.ethoca(door)
        assert sender.push().status == 200
        os.kill(journal.process.pid, signal.SIGSTOP)
        try:
            with ThreadPoolExecutor(8) as pool:
                for answer in pool.map(lambda _: sender.push(), range(16)):
                    assert_unavailable(answer)
        finally:
            os.kill(journal.process.pid, signal.SIGCONT)
        answer = push_until(sender, 200)
        request_id = answer.headers["X-Request-Id"]
        assert equipment.journaled()[door.line(request_id)["entry_id"]].request_id == request_id


def test_redis_without_append_only_file(tmp_path: Path, folder: Path, certificates: CertificateFiles) -> None:
    """A Redis that keeps nothing on disk is no journal: 503, and the platform is told why."""
    with start_valkey(folder, folder.with_suffix(".log"), BROKER) as server:
        equipment = equip(tmp_path / "door", certificates, server.url)
        with run_door(equipment.environment, equipment.file.parent) as door:
            assert_unavailable(equipment.ethoca(door).push())
        with run_platform(equipment.environment, equipment.file.parent) as platform:
            answer = ask(platform.port, "/readyz")
            assert answer.status == 503
            assert "appendonly" in answer.json["why"][0]


def test_journal_nearly_full(equipment: Equipment, journal: Server) -> None:
    """From its share of maxmemory on, and at a policy that evicts, the journal is full; afterwards it is not."""
    with run_door(equipment.environment, equipment.file.parent) as door, redis.Redis.from_url(journal.url) as client:
        sender = equipment.ethoca(door)
        assert sender.push().status == 200
        client.config_set("maxmemory", int(client.info("memory")["used_memory"] * 1.3))
        assert_unavailable(push_until(sender, 503), "JOURNAL_FULL")
        client.config_set("maxmemory", "256mb")
        push_until(sender, 200)
        client.config_set("maxmemory-policy", "allkeys-lru")
        assert_unavailable(push_until(sender, 503), "JOURNAL_FULL")
        client.config_set("maxmemory-policy", "noeviction")
        push_until(sender, 200)


def test_journal_at_its_number_of_entries(equipment: Equipment) -> None:
    """A journal that holds as many entries as configured is full until the workers have taken some."""
    equipment.configure(("[sealing]", "[journal]\nmax_entries = 2\n\n[sealing]"))
    with run_door(equipment.environment, equipment.file.parent) as door:
        sender = equipment.ethoca(door)
        assert_unavailable(push_until(sender, 503), "JOURNAL_FULL")
        assert len(equipment.journaled()) >= 2
        equipment.empty_journal()
        push_until(sender, 200)


def test_body_is_sealed_in_the_journal(equipment: Equipment, journal: Server, folder: Path) -> None:
    """What a push says is in clear neither in the entry nor in the append-only file."""
    body = b'{"alertId": "A", "CardNumber": "4111111111111111"}'
    with run_door(equipment.environment, equipment.file.parent) as door:
        assert equipment.ethoca(door).push(body=body).status == 200
        assert "4111111111111111" not in door.output.read_text() + door.errors.read_text()
    with redis.Redis.from_url(journal.url) as client:
        assert b"4111111111111111" not in repr(client.xrange(STREAM)).encode()
    written = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file() and "aof" in file.name)
    assert STREAM.encode() in written
    assert b"4111111111111111" not in written


def test_many_senders_at_once(equipment: Equipment) -> None:
    """Pushes over many connections at once each get their own entry."""
    with run_door(equipment.environment, equipment.file.parent, workers=2) as door, ThreadPoolExecutor(16) as pool:
        sender = equipment.ethoca(door)

        def push_some(number: int) -> list[tuple[str, str]]:
            connection = sender.connect()
            try:
                answers = [
                    sender.push(body=b'{"alertId": "%d-%d"}' % (number, count), connection=connection)
                    for count in range(10)
                ]
            finally:
                connection.close()
            return [(answer.headers["X-Request-Id"], answer.json["alertId"]) for answer in answers]

        acknowledged = dict(pair for pairs in pool.map(push_some, range(16)) for pair in pairs)
    assert len(acknowledged) == 160
    kept = {envelope.request_id: envelope.body for envelope in equipment.journaled().values()}
    assert kept == {request_id: b'{"alertId": "%s"}' % alert.encode() for request_id, alert in acknowledged.items()}


def test_platform_listener(equipment: Equipment, journal: Server, tmp_path: Path) -> None:
    """The platform sees that the door lives, whether the journal would take a push, and what was counted."""
    environment = equipment.environment | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "counts")}
    with (
        run_door(environment, equipment.file.parent, workers=2) as door,
        run_platform(environment, equipment.file.parent) as platform,
    ):
        sender = equipment.ethoca(door)
        for _ in range(4):
            assert sender.push().status == 200
        assert sender.push(headers={"Authorization": "Basic x"}).status == 401
        assert sender.push(body=b"{}").status == 400
        assert ask(platform.port, "/livez").json == {"alive": True}
        assert ask(platform.port, "/readyz").json["ready"] is True
        absent = ask(platform.port, "/readyz/4111111111111111")
        assert (absent.status, absent.json["Errors"]["Error"][0]["ReasonCode"]) == (404, "NOT_FOUND")
        assert "4111" not in absent.text
        counts = ask(platform.port, "/metrics").text
        for line in (
            'alert_intake_requests_total{outcome="acknowledged",source="ethoca",status="200"} 4.0',
            'alert_intake_requests_total{outcome="rejected",source="ethoca",status="400"} 1.0',
            'alert_intake_requests_total{outcome="failed",source="reseller",status="503"} 0.0',
            'alert_intake_failed_authentications_total{by="header",source="ethoca"} 1.0',
            'alert_intake_failed_authentications_total{by="header",source="reseller"} 0.0',
            'alert_intake_acknowledgement_seconds_count{source="reseller"} 0.0',
            'alert_intake_acknowledgement_seconds_count{source="ethoca"} 4.0',
            "alert_intake_journal_entries 5.0",
            "alert_intake_journal_reachable 1.0",
        ):
            assert line in counts, line
        journal.process.kill()
        journal.process.wait()
        assert ask(platform.port, "/livez").status == 200
        assert ask(platform.port, "/readyz").status == 503
        assert "alert_intake_journal_reachable 0.0" in ask(platform.port, "/metrics").text


def test_platform_sees_that_the_door_is_gone(equipment: Equipment, tmp_path: Path) -> None:
    """While no process of the door runs nothing is ready, however well the journal is."""
    environment = equipment.environment | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "counts")}
    with run_platform(environment, equipment.file.parent) as platform:
        for _ in range(2):
            absent = ask(platform.port, "/readyz")
            assert absent.status == 503
            assert "no process of the door runs" in absent.json["why"][0]
            counts = ask(platform.port, "/metrics").text
            assert "alert_intake_door_ready 0.0" in counts
            assert "alert_intake_journal_reachable 1.0" in counts
            with run_door(environment, equipment.file.parent, workers=2):
                assert ask(platform.port, "/readyz").status == 200
                assert "alert_intake_door_ready 1.0" in ask(platform.port, "/metrics").text


def ask(port: int, path: str) -> Answer:
    """Ask the platform's listener, in plain HTTP."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read().decode())  # type: ignore[arg-type]  # a message is a mapping of its headers
    finally:
        connection.close()
