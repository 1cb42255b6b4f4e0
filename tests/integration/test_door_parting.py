"""Whoever is refused in the midst of what he sends sees why, and what real senders send is not refused."""

import json
import select
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from tests.gunicorn import ROOT, Process, run_door, run_gunicorn, wait_for
from tests.integration.door import ETHOCA_BODY, Equipment, Sender, basic, equip
from tests.integration.raw import connected, head, read_to_the_end
from tests.integration.test_door_tls import admitted
from tests.ports import free_port

MEGABYTE = 1024 * 1024
CHUNK = b"1\r\nx\r\n"


@pytest.fixture
def right(equipment: Equipment, door: Process) -> Sender:
    """Return who may push."""
    return equipment.ethoca(door)


@pytest.fixture
def wrong(right: Sender) -> Sender:
    """Return who has a wrong password."""
    return replace(right, headers=basic("ethoca", "wrong"))


def send_all(connection: socket.socket, data: bytes) -> tuple[int, bytes, str]:
    """Send everything before anything is read; return the status, the head and the code of the one answer."""
    connection.sendall(data)
    said, _, body = read_to_the_end(connection).partition(b"\r\n\r\n")
    (fault,) = json.loads(body)["Errors"]["Error"]
    return int(said.split()[1]), said, fault["ReasonCode"]


def send_all_tls(sender: Sender, data: bytes) -> tuple[int, bytes, str]:
    """Do the same over TLS."""
    with connected(sender) as connection:
        return send_all(connection, data)


@pytest.mark.parametrize("size", [70_000, 4_000_000])
def test_head_that_is_too_large(right: Sender, size: int) -> None:
    """More than 64 kB of a head are 431, whether it is whole or goes on, and its sender reads that."""
    field = b"x" * 1000
    lines = [b"X-%d: %s" % (number, field) for number in range(size // 1000)]
    for data in (head(right, *lines), head(right, *lines)[:-2]):
        status, said, code = send_all_tls(right, data)
        assert (status, code) == (431, "HEADERS_TOO_LARGE")
        assert b"\r\nConnection: close\r\n" in said


def test_line_that_does_not_end(right: Sender) -> None:
    """A line over the limit is still told from the rest of a head."""
    assert send_all_tls(right, b"POST /" + b"x" * 200_000)[0] == 414


def test_head_as_large_as_may_be(right: Sender) -> None:
    """64 fields are taken, and one of 32 kB among them."""
    lines = {f"X-{number}": "y" * 500 for number in range(64 - 7)}
    assert right.push(headers=lines | {"X-Long": "z" * 32_000}).status == 200


def test_chunks_that_nobody_wants(wrong: Sender) -> None:
    """Who may not push is told so, and that the connection ends, after however many chunks."""
    for body in (b"", CHUNK * 300_000, CHUNK * 300_000 + b"0\r\n\r\n", b"%x\r\n" % (4 * MEGABYTE) + b"x" * MEGABYTE):
        status, said, code = send_all_tls(wrong, head(wrong, b"Transfer-Encoding: chunked") + body)
        assert (status, code) == (401, "AUTHENTICATION_FAILURE")
        assert b"\r\nConnection: close\r\n" in said


def test_more_chunks_than_anybody_sends(right: Sender) -> None:
    """Who may push is told that a body of a few bytes a chunk is framed badly; a megabyte of 64 bytes each is none."""
    begin = head(right, b"Transfer-Encoding: chunked", b"Connection: close")
    status, _, code = send_all_tls(right, begin + CHUNK * 20_000 + b"0\r\n\r\n")
    assert (status, code) == (400, "INCOMPLETE_BODY")
    large = ETHOCA_BODY[:-1].ljust(MEGABYTE - 1) + b"}"
    pieces = (large[place : place + 70] for place in range(0, MEGABYTE, 70))
    assert right.push(body=pieces).status == 200


def test_trailers_without_end(right: Sender) -> None:
    """What follows the last chunk is bounded, too."""
    begin = head(right, b"Transfer-Encoding: chunked") + CHUNK + b"0\r\n"
    assert send_all_tls(right, begin + b"X-Other: y\r\n" * 5_000)[::2] == (400, "INCOMPLETE_BODY")


def test_long_body_that_nobody_wants(wrong: Sender) -> None:
    """A body of a declared length is read as far as it is bearable, so that the connection goes on, or ends."""
    connection = wrong.connect()
    for _ in range(2):
        answer = wrong.push(body=b"x" * 4 * MEGABYTE, connection=connection)
        assert (answer.status, answer.headers["Connection"]) == (401, "keep-alive")
    connection.close()
    begin = head(wrong, b"Content-Length: %d" % (20 * MEGABYTE))
    status, said, _ = send_all_tls(wrong, begin + b"x" * 6 * MEGABYTE)
    assert status == 401
    assert b"\r\nConnection: close\r\n" in said


def test_pushes_in_one_piece(equipment: Equipment, right: Sender, wrong: Sender) -> None:
    """Requests that come at once, bodies and all, are answered one after another, also where a body is not wanted."""
    equipment.empty_journal()
    length = b"Content-Length: %d" % len(ETHOCA_BODY)
    heads = [
        head(wrong, length),
        head(right, length, b"Connection: keep-alive"),
        head(right, length).replace(b"application/json", b"text/plain"),
        head(right, b"Content-Length: 99999999", b"Connection: close"),
    ]
    for _ in range(2):
        with connected(right) as connection:
            connection.sendall(b"".join(start + ETHOCA_BODY for start in heads))
            said = read_to_the_end(connection)
        assert [answer[:3] for answer in said.split(b"HTTP/1.1 ")[1:]] == [b"401", b"200", b"415", b"413"]
    assert [envelope.body for envelope in equipment.journaled().values()] == [ETHOCA_BODY] * 2


def test_proxy_sees_the_answer_too(equipment: Equipment, engines_folder: Path, tmp_path: Path) -> None:
    """On the unix socket a refusal is read as well, whatever was still being sent."""
    own = equip(tmp_path / "door", equipment.certificates, equipment.journal_url)
    own.configure(("[sealing]", "[door]\nproxy = true\n\n[sealing]"))
    bind = engines_folder / "parting.sock"
    with run_door(own.environment, tmp_path / "log", bind=f"unix:{bind}") as door:
        sender = own.ethoca(door)
        for data, expected in (
            (head(sender, b"Transfer-Encoding: chunked") + CHUNK * 300_000, 403),
            (head(sender)[:-2] + b"X: y\r\n" * 100_000, 431),
        ):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(20)
                connection.connect(str(bind))
                assert send_all(connection, data)[0] == expected


ASK = b"GET / HTTP/1.1\r\n\r\n" * 400


@pytest.mark.parametrize("front", ["none", "proxy"])
def test_answers_that_are_not_taken(equipment: Equipment, engines_folder: Path, tmp_path: Path, front: str) -> None:
    """Whoever asks on and takes no answer is let go in the end, and his place is another's."""
    own = equip(tmp_path / "door", equipment.certificates, equipment.journal_url)
    limits = "proxy = true" if front == "proxy" else "connections_per_address = 1"
    own.configure(("[sealing]", f"[door]\n{limits}\n\n[sealing]"))
    file = tmp_path / "gunicorn.conf.py"
    shortened = "import ingress.listener.turns\ningress.listener.turns.TAKE_SECONDS = 1.0\n"
    file.write_text((ROOT / "deploy/gunicorn.conf.py").read_text() + shortened)
    bind = f"unix:{engines_folder}/taking.sock" if front == "proxy" else f"127.0.0.1:{free_port()}"
    environment = own.environment | {"INGRESS_BIND": bind, "INGRESS_WORKERS": "1"}
    with run_gunicorn(str(file), "ingress.app:create_app()", environment, bind, tmp_path / "log") as door:
        sender = own.ethoca(door)
        connection = wait_for(lambda: connect_narrowly(bind, None if front == "proxy" else sender.context()))
        assert connection is not None
        with connection:
            wait_for(lambda: has_ended(connection), 60)
            if front == "none":
                assert wait_for(lambda: admitted(sender))


def connect_narrowly(bind: str, context: ssl.SSLContext | None) -> socket.socket | None:
    """Connect as somebody to whom little is sent before he reads; None when there is no place yet."""
    plain = socket.socket(socket.AF_INET if context else socket.AF_UNIX)
    try:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        plain.settimeout(20)
        plain.connect(("127.0.0.1", int(bind.rpartition(":")[2])) if context else bind[5:])
        connection = context.wrap_socket(plain, server_hostname="localhost") if context else plain
    except OSError:
        plain.close()
        return None
    connection.settimeout(0.05)
    return connection


def has_ended(connection: socket.socket) -> bool:
    """Ask on without taking an answer; say whether the other side has ended the connection."""
    try:
        while True:
            connection.send(ASK)
    except TimeoutError:
        watch = select.poll()
        watch.register(connection, 0)
        return bool(watch.poll(0))
    except OSError:
        return True
