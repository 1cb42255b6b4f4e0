"""Bytes that are nearly requests: no crash, no status of 500 or more, no hang, and nobody let in by chance."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.embedded.engine import Server
from tests.conftest import CertificateFiles
from tests.fuzz.requests import requests
from tests.gunicorn import Process, run_door
from tests.integration.door import ETHOCA_BODY, Equipment, Sender, equip
from tests.integration.raw import request

STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
MANY = settings(max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))
HANGS = 8.0  # seconds; a body that does not arrive is waited for no longer than its sender waits


@pytest.fixture(scope="module")
def equipment(
    tmp_path_factory: pytest.TempPathFactory, certificates: CertificateFiles, journal_server: Server
) -> Equipment:
    """Configure a door behind a proxy, which takes packed bodies too."""
    own = equip(tmp_path_factory.mktemp("door"), certificates, journal_server.url)
    own.configure(("[sealing]", "[door]\nproxy = true\ncompressed_bodies = true\n\n[sealing]"))
    return own


@pytest.fixture(scope="module")
def bind(equipment: Equipment, engines_folder: Path) -> Iterator[str]:
    """Run the door on a unix socket, and check at the end that no process of it has crashed and no request failed."""
    path = str(engines_folder / "fuzz.sock")
    with run_door(equipment.environment, equipment.file.parent / "log", workers=2, bind=f"unix:{path}") as door:
        yield path
        assert_unharmed(door)


@pytest.fixture(scope="module")
def door(equipment: Equipment) -> Iterator[Process]:
    """Run the door with TLS."""
    with run_door(equipment.environment, equipment.file.parent / "log-tls", workers=2) as process:
        yield process
        assert_unharmed(process)


def assert_unharmed(door: Process) -> None:
    """Check that the processes are those of the start, and that nothing failed."""
    assert door.ready() == 2, "a worker process was replaced"
    assert [line for line in door.lines() if line["event"] == "failed"] == []
    assert "Traceback" not in door.errors.read_text()


def speak(connection: socket.socket, data: bytes) -> bytes:
    """Send bytes, say that no more will come, and return all that is answered; fail when that does not end."""
    began = time.monotonic()
    answer = b""
    try:
        connection.settimeout(HANGS)
        connection.sendall(data)
        socket.socket.shutdown(connection, socket.SHUT_WR)
        while piece := connection.recv(65536):
            answer += piece
    except TimeoutError:
        pytest.fail(f"no end after {time.monotonic() - began:.1f} s: {data!r} was answered with {answer!r}")
    except OSError:  # ended by the door
        return answer
    return answer


def credentials_of(equipment: Equipment) -> bytes:
    """Return the header lines that are right behind the proxy."""
    said = dict(equipment.ethoca(Process(None, "unix:", Path(), Path())).headers)  # type: ignore[arg-type]  # no process is needed
    certificate = quote(equipment.certificates.client.certificate.read_text(), safe="")
    return "".join(f"{name}: {value}\r\n" for name, value in (said | {"X-Client-Cert": certificate}).items()).encode()


def assert_answered(data: bytes, answer: bytes) -> None:
    """Check every status of an answer."""
    statuses = [int(status) for status in STATUS.findall(answer)]
    assert all(status < 500 for status in statuses), (data, answer)
    assert not answer or STATUS.match(answer), (data, answer)


def test_requests(bind: str, equipment: Equipment, go_on: Callable[[Callable[[], None]], None]) -> None:
    """Requests that are nearly right are answered with less than 500, and their connection ends."""
    credentials = credentials_of(equipment)

    @MANY
    @given(requests(credentials))
    def examine(data: bytes) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(bind)
            assert_answered(data, speak(connection, data))

    go_on(examine)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(bind)
        right = b"POST /push/ethoca HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
        answer = speak(connection, right % len(ETHOCA_BODY) + credentials + b"\r\n" + ETHOCA_BODY)
    assert answer.startswith(b"HTTP/1.1 200"), answer
    equipment.empty_journal()


def test_requests_without_credentials(
    bind: str, equipment: Equipment, go_on: Callable[[Callable[[], None]], None]
) -> None:
    """Nearly right requests that lack certificate and password are never let in, whatever else they say."""
    equipment.empty_journal()

    @MANY
    @given(requests(b"X-Other: y\r\n"))
    def examine(data: bytes) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(bind)
            answer = speak(connection, data)
        assert_answered(data, answer)
        assert b"200" not in STATUS.findall(answer), (data, answer)

    go_on(examine)
    assert equipment.journaled() == {}


def test_tls_records(door: Process, equipment: Equipment, go_on: Callable[[Callable[[], None]], None]) -> None:
    """Bytes that are nearly TLS end their connection, and others are served."""
    record = st.builds(
        lambda kind, version, size, content: kind + version + size.to_bytes(2, "big") + content,
        st.sampled_from([b"\x16", b"\x14", b"\x15", b"\x17", b"\x80", b"G"]),
        st.sampled_from([b"\x03\x01", b"\x03\x03", b"\x02\x00", b"\xff\xff"]),
        st.integers(0, 0xFFFF),
        st.binary(max_size=600),
    )

    @MANY
    @given(st.lists(record | st.binary(max_size=600), max_size=3))
    def examine(records: list[bytes]) -> None:
        with socket.create_connection(("127.0.0.1", door.port)) as connection:
            answer = speak(connection, b"".join(records))
        assert not answer.startswith(b"HTTP"), records

    go_on(examine)
    sender: Sender = equipment.ethoca(door)
    assert sender.push().status == 200


def test_spoilt_requests_over_tls(
    door: Process, equipment: Equipment, go_on: Callable[[Callable[[], None]], None]
) -> None:
    """The same over TLS with the right certificate: a good request of which some bytes are others."""
    sender = equipment.ethoca(door)
    context, good = sender.context(), request(sender)

    @settings(MANY, max_examples=50)
    @given(st.lists(st.tuples(st.integers(0, len(good) - 1), st.binary(max_size=3)), min_size=1, max_size=3))
    def examine(changes: list[tuple[int, bytes]]) -> None:
        data = good
        for place, piece in changes:
            data = data[:place] + piece + data[place + 1 :]
        with (
            socket.create_connection(("127.0.0.1", door.port), timeout=HANGS) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            assert_answered(data, speak(connection, data))

    go_on(examine)
