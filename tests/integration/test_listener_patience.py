"""Who says little, or does not go, holds no listener that speaks plain HTTP; streams outlast any deadline."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import requests

from deploy.embedded.engine import Server
from deploy.embedded.settings import Secrets
from tests.conftest import CertificateFiles
from tests.gunicorn import ROOT, Process, run_gunicorn, wait_for
from tests.integration.console_server import Client
from tests.integration.door import equip
from tests.integration.test_console_feed import insert, listening
from tests.ports import free_port

HEAD_SECONDS, BODY_SECONDS = 1.5, 4.0
MANY = 12  # connections; the listeners here have 4 threads
ASK = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
IMPATIENT = f"""
from schemas.listener.thread_worker import DiscreetWorker
DiscreetWorker.HEAD_SECONDS, DiscreetWorker.BODY_SECONDS = {HEAD_SECONDS}, {BODY_SECONDS}
threads = 4
"""


@contextmanager
def run_impatient(part: str, app: str, environment: dict[str, str], folder: Path) -> Iterator[Process]:
    """Run a listener as it is shipped, but with short deadlines and few threads."""
    file = folder / "gunicorn.conf.py"
    shipped = (ROOT / f"deploy/gunicorn.{part}.conf.py").read_text()
    file.write_text(shipped + IMPATIENT)
    bind = f"127.0.0.1:{free_port()}"
    own = environment | {f"{part.upper()}_BIND": bind}
    with run_gunicorn(str(file), app, own, bind, folder / "log") as process:
        seconds_until_alive(process)
        yield process


@pytest.fixture
def platform(tmp_path: Path, certificates: CertificateFiles, journal_server: Server) -> Iterator[Process]:
    """Run a platform listener."""
    environment = equip(tmp_path / "door", certificates, journal_server.url).environment
    with run_impatient("platform", "ingress.health:create_app()", environment, tmp_path) as process:
        yield process


@pytest.fixture
def console(environment: dict[str, str], intake_secrets: Secrets, tmp_path: Path) -> Iterator[Client]:
    """Run a console on an empty database."""
    with run_impatient("console", "console.app:create_app()", environment, tmp_path) as process:
        yield Client(f"http://{process.bind}", intake_secrets.console_token, process)


@contextmanager
def holding(process: Process, data: bytes) -> Iterator[list[socket.socket]]:
    """Open connections that say something, and then nothing more, until the block ends."""
    with contextlib.ExitStack() as held:
        connections = []
        for _ in range(MANY):
            address = ("127.0.0.1", process.port)
            connection = held.enter_context(socket.create_connection(address, timeout=20))
            connection.sendall(data)
            connections.append(connection)
        time.sleep(0.3)  # all of them are known to the listener
        yield connections


def connect_narrowly(process: Process) -> socket.socket:
    """Connect as somebody to whom little is sent before he reads."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    connection.settimeout(20)
    connection.connect(("127.0.0.1", process.port))
    return connection


def seconds_until_alive(process: Process) -> float:
    """Ask whether the listener lives; return how long the answer took."""
    began = time.monotonic()
    answer = requests.get(f"http://{process.bind}/livez", timeout=60)
    assert answer.status_code == 200
    return time.monotonic() - began


def read_all(connection: socket.socket) -> bytes:
    """Read until the other side closes."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("said", [b"G", ASK + b"X: ", b""])
def test_heads_that_do_not_come(platform: Process, said: bytes) -> None:
    """More of them than there are threads keep nobody waiting, and each ends at its deadline."""
    began = time.monotonic()
    with holding(platform, said) as connections:
        assert seconds_until_alive(platform) < 1
        for connection in connections:
            assert read_all(connection) == b""
        assert HEAD_SECONDS - 0.5 < time.monotonic() - began < HEAD_SECONDS + 3


def test_head_that_trickles(platform: Process) -> None:
    """The deadline is for all of a head: it is not put off by another byte."""
    with socket.create_connection(("127.0.0.1", platform.port), timeout=20) as connection:
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 10:
                connection.sendall(b"G")
                time.sleep(0.1)
        assert time.monotonic() - began < HEAD_SECONDS + 3


def test_connections_that_are_not_closed(platform: Process) -> None:
    """Whoever is answered for the last time and does not close his side keeps nobody waiting."""
    with holding(platform, ASK + b"Connection: close\r\n\r\n") as connections:
        assert seconds_until_alive(platform) < 1
        for connection in connections:
            assert read_all(connection).startswith(b"HTTP/1.1 200")


def test_bodies_that_nobody_wants_and_nobody_sends(platform: Process) -> None:
    """A body that is announced to a page that reads none is not waited for."""
    with holding(platform, ASK + b"Content-Length: 5\r\n\r\n") as connections:
        assert seconds_until_alive(platform) < 1
        for connection in connections:
            assert read_all(connection).startswith(b"HTTP/1.1 200")


def test_asking_on_and_taking_no_answer(platform: Process) -> None:
    """Whoever asks for small things again and again, and reads no answer, keeps nobody waiting."""
    with contextlib.ExitStack() as held:
        for _ in range(MANY):
            connection = held.enter_context(connect_narrowly(platform))
            connection.setblocking(False)
            with contextlib.suppress(BlockingIOError, ConnectionError):  # it may be cut off already
                for _ in range(100):
                    connection.send((ASK + b"\r\n") * 100)
        time.sleep(8)
        assert seconds_until_alive(platform) < 1
    assert "Traceback" not in platform.errors.read_text()


def test_body_that_is_none(platform: Process) -> None:
    """What comes behind a request that was answered, and is no body, is not answered as well."""
    with socket.create_connection(("127.0.0.1", platform.port), timeout=20) as connection:
        connection.sendall(ASK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
        assert read_all(connection).count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    ("lines", "begin"),
    [
        ("Content-Length: 50", "to"),
        ("Content-Length: 50", ""),
        ("Transfer-Encoding: chunked", "32\r\nto"),
        ("Content-Length: 50\r\nExpect: 100-continue", ""),
    ],
)
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
def test_bodies_that_do_not_come(console: Client, path: str, lines: str, begin: str) -> None:
    """Without a token nobody keeps a thread by a body that does not come: pages are shown, and it is 400 in the end."""
    data = (
        f"POST {path} HTTP/1.1\r\nOrigin: {console.url}\r\nHost: {console.process.bind}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\n{lines}\r\n\r\n{begin}"
    )
    with holding(console.process, data.encode()) as connections:
        assert seconds_until_alive(console.process) < BODY_SECONDS / 2
        for connection in connections:
            answer = read_all(connection).replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
            assert answer.startswith(b"HTTP/1.1 400"), answer


def test_form_that_comes_in_pieces(console: Client) -> None:
    """A form whose bytes come one after the other is taken, and what comes behind it is the next request."""
    with requests.Session() as person:
        person.trust_env = False
        person.get(f"{console.url}/sign-in", timeout=60)
        ((name, value),) = person.cookies.items()
    form = f"token={console.token}&csrf_token={value}"
    begin = (
        f"POST /sign-in HTTP/1.1\r\nHost: {console.process.bind}\r\nCookie: {name}={value}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n\r\n{form[:4]}"
    ).encode()
    rest = f"{form[9:]}GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", console.process.port), timeout=20) as connection:
        for piece in (begin[:-6], begin[-6:], form[4:9].encode(), rest):
            connection.sendall(piece)
            time.sleep(0.1)
        answers = read_all(connection)
    assert [answers[9:12], answers.count(b"HTTP/1.1 200")] == [b"303", 1], answers


def test_bodies_that_come_with_their_heads(console: Client) -> None:
    """Requests that come at once, bodies and all, are answered one after another, each for its own body."""
    data = ""
    for number in range(3):
        body = json.dumps({"name": f"orders {number}", "url": "https://orders.example/"})
        data += (
            f"POST /v1/subscriptions HTTP/1.1\r\nHost: {console.process.bind}\r\n"
            f"Authorization: Bearer {console.token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: {'close' if number == 2 else 'keep-alive'}\r\n\r\n{body}"
        )
    with socket.create_connection(("127.0.0.1", console.process.port), timeout=20) as connection:
        connection.sendall(data.encode())
        answers = read_all(connection).split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"201"] * 3
    assert [b"orders %d" % number in answer for number, answer in enumerate(answers)] == [True] * 3


def test_stream_outlasts_the_deadlines(console: Client, database_url: str) -> None:
    """A stream of events goes on for longer than a request may take to be read."""
    with psycopg.connect(database_url, autocommit=True) as writer, listening(console) as listener:
        time.sleep(HEAD_SECONDS + BODY_SECONDS + 1.5)
        insert(writer, "LATE")
        wait_for(lambda: listener.names() == ["LATE"])


def test_connection_is_kept(platform: Process) -> None:
    """A connection serves one request after the other: after a pause, in pieces, or several at once."""
    with socket.create_connection(("127.0.0.1", platform.port), timeout=20) as connection:
        for pieces in ([ASK + b"\r\n"], [ASK[:5], ASK[5:] + b"\r", b"\n"], [b"\r\n" + ASK + b"\r\n"]):
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.3)
            assert connection.recv(65536).count(b"HTTP/1.1 200") == 1
            time.sleep(HEAD_SECONDS + 0.5)
        connection.sendall((ASK + b"\r\n") * 3 + ASK + b"Connection: close\r\n\r\n")
        assert read_all(connection).count(b"HTTP/1.1 200") == 4
