"""The embedded engines: durable as the promise needs them, alone on their folders, gone with their starter."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from deploy.embedded import cluster, elsewhere, postgres
from deploy.embedded.certificate_files import CLIENT_SUBJECT, ensure_certificates, read_pair, write_pair
from deploy.embedded.certificates import issue_certificate
from deploy.embedded.children import NotStarted, wait_until
from deploy.embedded.engine import Server, is_free
from deploy.embedded.engines import start_engines
from deploy.embedded.layout import Layout
from deploy.embedded.postgres import start_postgres
from deploy.embedded.supervise import Supervisor
from deploy.embedded.valkey import BROKER, JOURNAL, start_valkey
from deploy.migrations import FOLDER, apply_migrations, pending_migrations

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(engines_folder: Path) -> Path:
    """Return a folder of this test's own that the account of PostgreSQL may enter."""
    own = Path(tempfile.mkdtemp(dir=engines_folder))
    own.chmod(0o755)
    return own


def test_journal_proves_each_write_durable(journal_url: str) -> None:
    """The journal fsyncs before it answers, never evicts, and is bounded."""
    with redis.Redis.from_url(journal_url, protocol=2) as client:
        settings: Any = client.config_get("appendonly", "appendfsync", "maxmemory-policy", "maxmemory", "bind")
        client.xadd("stream", {"field": "value"})
        assert client.waitaof(1, 0, 1000)[0] == 1
    assert settings == {
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "maxmemory": "268435456",
        "bind": "127.0.0.1",
    }


def test_engines_ask_for_a_password(journal_url: str, database_url: str) -> None:
    """Nobody else on the machine gets in without the password."""
    with redis.Redis.from_url(without_password(journal_url), protocol=2) as client, pytest.raises(redis.RedisError):
        client.ping()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(without_password(database_url))


def test_engines_come_back_with_their_data_after_a_kill(folder: Path) -> None:
    """What was committed before a `kill -9` of both engines is there at the next start, at the same address."""
    with start_valkey(folder / "journal", folder / "log", JOURNAL) as valkey:
        with redis.Redis.from_url(valkey.url, protocol=2) as client:
            client.xadd("stream", {"field": "value"})
        valkey.process.kill()
        valkey.process.wait()
    with start_postgres(folder / "postgres", folder / "log") as running:
        with psycopg.connect(running.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        running.process.kill()
        running.process.wait()
    with start_valkey(folder / "journal", folder / "log", JOURNAL) as again:
        assert again.url == valkey.url
        with redis.Redis.from_url(again.url, protocol=2) as client:
            assert client.xlen("stream") == 1
    with start_postgres(folder / "postgres", folder / "log") as restarted:
        assert restarted.url == running.url
        with psycopg.connect(restarted.url) as connection:
            assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_second_server_on_a_folder_is_refused(folder: Path) -> None:
    """Two servers on one folder would spoil each other's files, so the second does not start."""
    with start_valkey(folder, folder / "log", BROKER), pytest.raises(NotStarted, match="still running"):
        start_valkey(folder, folder / "log", BROKER, patience=0.2)


@pytest.mark.parametrize(
    ("record", "start"),
    [
        ({"engine": "Redis", "version": "7.0.15"}, "valkey"),
        ({"engine": "Valkey", "version": "99.0.0"}, "valkey"),
        ({"engine": "PostgreSQL", "version": "15.9", "data": "data"}, "postgres"),
    ],
)
def test_folder_of_another_engine_is_refused(folder: Path, record: dict[str, str], start: str) -> None:
    """An engine does not open, nor replace, what another engine or version wrote."""
    (folder / "engine.json").write_text(json.dumps(record))
    with pytest.raises(NotStarted, match="was written by"):
        _ = (
            start_valkey(folder, folder / "log", JOURNAL)
            if start == "valkey"
            else start_postgres(folder, folder / "log")
        )
    assert json.loads((folder / "engine.json").read_text()) == record


def test_missing_data_are_not_replaced_by_empty_ones(folder: Path) -> None:
    """When the recorded data are gone, PostgreSQL says so instead of beginning anew."""
    (folder / "engine.json").write_text(
        json.dumps({"engine": "PostgreSQL", "version": "18.6", "data": str(folder / "gone")})
    )
    with pytest.raises(NotStarted, match="not there"):
        start_postgres(folder, folder / "log")


def test_taken_port_moves_the_server_elsewhere(folder: Path) -> None:
    """A port that somebody took between two runs is given up for a free one."""
    with start_valkey(folder, folder / "log", BROKER) as first:
        port = first.port
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        with start_valkey(folder, folder / "log", BROKER) as second:
            assert second.port != port


def test_wanted_port_that_is_taken_is_named(folder: Path) -> None:
    """A port that was asked for is not quietly replaced by another."""
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        with pytest.raises(NotStarted, match="is taken"):
            start_valkey(folder, folder / "log", BROKER, port=stranger.getsockname()[1])


def test_start_failure_names_the_reason(folder: Path) -> None:
    """A server that cannot start is reported in one line, with the log to look at."""
    with pytest.raises(NotStarted, match=r"Valkey ended at its start: .*log"):
        start_valkey(folder, folder / "log", (*BROKER, "no-such-setting yes"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another account")
def test_root_below_a_closed_folder_runs_postgres_elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the account cannot reach binaries and data, both are put where it can, and found again."""
    monkeypatch.setattr(elsewhere, "PARENTS", (folder,))
    for module in (cluster, postgres):
        monkeypatch.setattr(module, "may_enter", lambda *_: False)
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    for number in (1, 2):
        with start_postgres(closed / "postgres", folder / "log") as server, psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS runs (number integer)")
            connection.execute("INSERT INTO runs VALUES (%s)", [number])
            row = connection.execute("SELECT count(*), current_setting('data_directory') FROM runs").fetchone()
            program = Path(f"/proc/{server.process.pid}/exe").resolve()
    place = folder / elsewhere.NAME
    assert row is not None
    assert row[0] == 2
    assert row[1] == json.loads((closed / "postgres" / "engine.json").read_text())["data"]
    assert Path(row[1]).is_relative_to(place)
    assert program.is_relative_to(place)


def test_given_addresses_replace_the_engines(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine whose address is set is not started; an address of the folder's own engine counts as not set."""
    given = {"JOURNAL_URL": "redis://one:1/0", "BROKER_URL": "redis://two:2/0", "DATABASE_URL": "postgresql://three/db"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    supervisor = Supervisor(lambda _: None)
    try:
        assert start_engines(Layout(folder), {}, supervisor) == given
        assert supervisor.running == []
        monkeypatch.delenv("BROKER_URL")
        started = start_engines(Layout(folder), {}, supervisor)
        assert len(supervisor.running) == 1
        supervisor.stop(5, 5)
        monkeypatch.setenv("BROKER_URL", started["BROKER_URL"])
        assert start_engines(Layout(folder), {}, supervisor) == started
        assert [one.part.name for one in supervisor.running] == ["broker"]
    finally:
        supervisor.stop(5, 5)


def test_engines_die_with_their_starter(folder: Path) -> None:
    """After a `kill -9` of the process that started them, both engines end by themselves and free their folders."""
    program = (
        "import sys, time; from pathlib import Path\n"
        "from deploy.embedded.valkey import JOURNAL, start_valkey\n"
        "from deploy.embedded.postgres import start_postgres\n"
        "folder = Path(sys.argv[1])\n"
        "valkey = start_valkey(folder / 'journal', folder / 'log', JOURNAL)\n"
        "postgres = start_postgres(folder / 'postgres', folder / 'log')\n"
        "print(valkey.port, postgres.port, flush=True); time.sleep(600)\n"
    )
    command = [sys.executable, "-c", program, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as starter:
        assert starter.stdout is not None
        ports = [int(port) for port in starter.stdout.readline().split()]
        assert len(ports) == 2
        os.kill(starter.pid, signal.SIGKILL)
        starter.wait()
    assert wait_until(lambda: all(is_free(port) for port in ports), 10)
    with start_valkey(folder / "journal", folder / "log", JOURNAL) as valkey:
        assert valkey.port == ports[0]


def test_migrations_are_applied_once_by_callers_at_the_same_time(postgres_server: Server) -> None:
    """Several callers at once bring an empty database to the newest schema, each file applied by one of them."""
    server = postgres_server.url.rpartition("/")[0]
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE empty")
    url = f"{server}/empty"
    names = sorted(file.stem for file in FOLDER.glob("*.sql"))
    assert pending_migrations(url) == names
    program = "import sys; from deploy.migrations import apply_migrations; print(*apply_migrations(sys.argv[1]))"
    command = [sys.executable, "-W", "error", "-c", program, url]
    callers = [subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) for _ in range(3)]
    answers = [caller.communicate(timeout=60)[0].split() for caller in callers]
    assert [caller.returncode for caller in callers] == [0, 0, 0]
    assert sorted(name for answer in answers for name in answer) == names
    assert pending_migrations(url) == []
    assert apply_migrations(url) == []


def test_migrations_reach_a_database_by_any_libpq_address(database_url: str) -> None:
    """A password with reserved characters and a connection string without a URI are understood."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = connection.info.dbname
        port = connection.info.port
        connection.execute("CREATE ROLE awkward SUPERUSER LOGIN PASSWORD 'p@ss/w:rd %?&'")
    try:
        assert apply_migrations(f"postgresql://awkward:p%40ss%2Fw%3Ard%20%25%3F%26@127.0.0.1:{port}/{name}") == []
        assert apply_migrations(f"host=127.0.0.1 port={port} user=awkward password='p@ss/w:rd %?&' dbname={name}") == []
    finally:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("DROP ROLE awkward")


def test_each_test_has_a_database_of_its_own(database_url: str) -> None:
    """The database of a test is a copy of the migrated template, with its partitions."""
    assert pending_migrations(database_url) == []
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM pg_inherits").fetchone()
    assert row is not None
    assert row[0] >= 10


def test_strict_clients_accept_the_development_certificates(tmp_path: Path) -> None:
    """Both sides of a mutual TLS handshake accept them under RFC 5280's strict rules."""
    made = ensure_certificates(tmp_path)
    server = strict_context(ssl.Purpose.CLIENT_AUTH, made.authority.certificate)
    server.load_cert_chain(made.server.certificate, made.server.key)
    server.verify_mode = ssl.CERT_REQUIRED
    client = strict_context(ssl.Purpose.SERVER_AUTH, made.authority.certificate)
    client.load_cert_chain(made.client.certificate, made.client.key)
    near, far = socket.socketpair()
    seen: list[Any] = []

    def answer() -> None:
        with server.wrap_socket(far, server_side=True) as accepted:
            seen.append(accepted.getpeercert())
            accepted.sendall(b"ok")

    thread = threading.Thread(target=answer)
    thread.start()
    with client.wrap_socket(near, server_hostname="127.0.0.1") as connected:
        assert connected.recv(2) == b"ok"
    thread.join(10)
    assert ((("commonName", "sender.alert-intake.example"),)) in seen[0]["subject"]


def strict_context(purpose: ssl.Purpose, authority: Path) -> ssl.SSLContext:
    """Return a context that verifies as strictly as OpenSSL can."""
    context = ssl.create_default_context(purpose, cafile=str(authority))
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    return context


def test_certificates_are_kept_and_renewed_before_they_end(tmp_path: Path) -> None:
    """A second start keeps them all; a leaf near its end, or of another authority, is issued anew."""
    made = ensure_certificates(tmp_path)
    kept = made.server.certificate.read_bytes()
    assert ensure_certificates(tmp_path).server.certificate.read_bytes() == kept
    authority = read_pair(tmp_path, "ca")
    assert authority is not None
    ending = issue_certificate(authority, CLIENT_SUBJECT, side="client", days=29)
    write_pair(tmp_path, "client", ending)
    ensure_certificates(tmp_path)
    renewed = read_pair(tmp_path, "client")
    assert renewed is not None
    assert renewed.certificate != ending.certificate
    made.authority.key.unlink()
    ensure_certificates(tmp_path)
    assert made.server.certificate.read_bytes() != kept


def without_password(url: str) -> str:
    """Return the address without its password."""
    scheme, _, rest = url.partition("://")
    user, _, place = rest.rpartition("@")
    name = user.split(":")[0]
    return f"{scheme}://{name}@{place}" if name else f"{scheme}://{place}"
