"""What one address, or a slow sender, can take of a door behind the shipped nginx, and what others get meanwhile."""

import contextlib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.embedded.engine import Server
from tests.conftest import CertificateFiles
from tests.gunicorn import run_door
from tests.integration.door import Equipment, Sender, basic, equip
from tests.integration.raw import connected, head, request
from tests.integration.test_door_nginx import Front, files_of
from tests.nginx import run_nginx

ELSEWHERE = "127.0.0.2"
LIMIT = "limit_conn alert_intake_networks 256;"


@pytest.fixture
def equipment(tmp_path: Path, certificates: CertificateFiles, journal_server: Server) -> Equipment:
    """Configure a door behind a proxy."""
    own = equip(tmp_path / "door", certificates, journal_server.url)
    own.configure(("[sealing]", "[door]\nproxy = true\n\n[sealing]"))
    own.empty_journal()
    return own


@contextmanager
def run_front(equipment: Equipment, engines_folder: Path, tmp_path: Path, **changes: str) -> Iterator[Front]:
    """Run the door and nginx in front of it, with changes to nginx's settings: their names and new values."""
    bind = engines_folder / "limits.sock"
    shipped = {"limit": LIMIT, "connections": "worker_connections 4096;"}
    replaced = {shipped[name]: new for name, new in changes.items()}
    with (
        run_door(equipment.environment, tmp_path / "log", bind=f"unix:{bind}") as door,
        run_nginx(files_of(equipment), bind, tmp_path / "nginx", replaced) as nginx,
    ):
        yield Front(door, nginx, equipment)


@contextmanager
def begin_push(sender: Sender, *lines: bytes) -> Iterator[ssl.SSLSocket]:
    """Send a head and the first byte of its body, and leave it at that."""
    with connected(sender, address=ELSEWHERE) as connection:
        connection.sendall(head(sender, *lines, b"Content-Length: 1000000") + b"{")
        yield connection


def test_strangers_are_refused_before_their_bodies(equipment: Equipment, engines_folder: Path, tmp_path: Path) -> None:
    """Without the certificate or the header nobody holds a connection by a body that does not end: the head decides."""
    with run_front(equipment, engines_folder, tmp_path) as front:
        right = front.ethoca()
        for stranger, status in (
            (replace(right, pair=None), b"403"),
            (replace(right, pair=equipment.certificates.unlisted), b"403"),
            (replace(right, headers=basic("ethoca", "wrong")), b"401"),
        ):
            with begin_push(stranger) as connection:
                assert connection.recv(65536)[9:12] == status
        assert right.push().status == 200


def test_body_that_trickles_is_ended(equipment: Equipment, engines_folder: Path, tmp_path: Path) -> None:
    """Who may push has some twenty seconds for the whole of a body, however steadily its bytes come."""
    with run_front(equipment, engines_folder, tmp_path) as front, begin_push(front.ethoca()) as connection:
        connection.settimeout(0.5)
        answer = b""
        for _ in range(80):
            with contextlib.suppress(TimeoutError):
                answer += connection.recv(65536)
                break
            connection.sendall(b" ")
        assert answer.startswith(b"HTTP/1.1 408"), answer


def test_one_address_has_its_share(equipment: Equipment, engines_folder: Path, tmp_path: Path) -> None:
    """More requests of one address than its share are 429 in the envelope; others push, and it may again in the end."""
    share = LIMIT.replace("256", "3")
    with run_front(equipment, engines_folder, tmp_path, limit=share) as front, contextlib.ExitStack() as held:
        for _ in range(3):
            held.enter_context(begin_push(front.ethoca()))
        for _ in range(2):
            with begin_push(front.ethoca()) as connection:
                answer = connection.recv(65536)
                assert answer.startswith(b"HTTP/1.1 429"), answer
                assert b"\r\nRetry-After: 5\r\n" in answer
                assert b'"ReasonCode":"TOO_MANY_CONNECTIONS"' in answer
        assert front.ethoca().push().status == 200
        held.close()
        with connected(front.ethoca(), address=ELSEWHERE) as connection:
            connection.sendall(head(front.ethoca(), b"Content-Length: 0"))
            assert connection.recv(65536).startswith(b"HTTP/1.1 400")  # by the door: no body


def test_host_of_ipv6_has_one_share(equipment: Equipment, engines_folder: Path, tmp_path: Path) -> None:
    """All addresses of an IPv6 /64 have one share together."""
    share = LIMIT.replace("256", "1") + " set_real_ip_from 127.0.0.0/8; real_ip_header X-Address;"
    with (
        run_front(equipment, engines_folder, tmp_path, limit=share) as front,
        begin_push(front.ethoca(), b"X-Address: 2001:db8::1"),
    ):
        for address, status in (("2001:db8::2", 429), ("2001:db8:0:1::1", 200), ("192.0.2.1", 200)):
            assert front.ethoca().push(headers={"X-Address": address}).status == status, address


def test_no_connection_left_towards_the_door(equipment: Equipment, engines_folder: Path, tmp_path: Path) -> None:
    """An nginx whose connections are all in use says 503 in the envelope: the sender is to come again."""
    few = "worker_connections 12;"
    with run_front(equipment, engines_folder, tmp_path, connections=few) as front, contextlib.ExitStack() as held:
        whole = request(front.ethoca(), body=b"{}")
        first = held.enter_context(connected(front.ethoca(), address=ELSEWHERE))
        first.sendall(whole[:50])
        for _ in range(12):
            with contextlib.suppress(OSError):
                another = held.enter_context(connected(front.ethoca(), address=ELSEWHERE))
                another.sendall(whole[:50])
        first.sendall(whole[50:])
        answer = first.recv(65536)
        assert answer.startswith(b"HTTP/1.1 503"), answer
        assert b"\r\nRetry-After: 5\r\n" in answer
        assert b'"ReasonCode":"UNAVAILABLE"' in answer
