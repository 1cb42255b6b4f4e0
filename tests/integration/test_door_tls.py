"""Mutual TLS in the door itself: who gets a connection, who keeps it, and how it ends."""

import shutil
import socket
import ssl
import time
from contextlib import ExitStack
from dataclasses import replace
from http.client import HTTPSConnection
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from deploy.embedded.certificate_files import CLIENT_SUBJECT, LOOPBACK, read_pair, write_pair
from deploy.embedded.certificates import Issued, issue_certificate
from deploy.embedded.engine import Server
from deploy.embedded.revocations import make_crl
from tests.conftest import CertificateFiles
from tests.gunicorn import answers, run_door, wait_for
from tests.integration.door import Equipment, Sender, equip
from tests.integration.processes import holds
from tests.integration.raw import connected, exchange, read_to_the_end, request

NO_CONNECTION = (ssl.SSLError, ConnectionError)


@pytest.fixture
def equipment(tmp_path: Path, certificates: CertificateFiles, journal_server: Server) -> Equipment:
    """Configure a door with certificate files of its own, to be changed."""
    own = equip(tmp_path / "door", certificates, journal_server.url)
    for file in (certificates.server.certificate, certificates.server.key, certificates.crl):
        shutil.copy(file, tmp_path / file.name)
        own.configure((str(file), str(tmp_path / file.name)))
    own.empty_journal()
    return own


@pytest.fixture
def authority(certificates: CertificateFiles) -> Issued:
    """Return the authority of the door's clients and of the door."""
    found = read_pair(certificates.ca.parent, "ca")
    assert found is not None
    return found


def served_serial(sender: Sender) -> int:
    """Return the serial number of the certificate that the door shows."""
    connection = sender.connect()
    connection.connect()
    try:
        shown = connection.sock.getpeercert(True)
        assert shown is not None
        return x509.load_der_x509_certificate(shown).serial_number
    finally:
        connection.close()


def admitted(sender: Sender) -> bool:
    """Say whether a push on a new connection is acknowledged."""
    try:
        return sender.push().status == 200
    except NO_CONNECTION:
        return False


def kept_open(sender: Sender) -> HTTPSConnection | None:
    """Push on a new connection and return it, unless the door ended it with its answer: its files had just changed."""
    connection = sender.connect()
    assert sender.push(connection=connection).status == 200
    return connection if connection.sock is not None else None


def test_certificates_that_get_no_connection(equipment: Equipment, certificates: CertificateFiles) -> None:
    """Foreign, expired, server-only and revoked certificates get no TLS connection; the log says why."""
    refused = {
        "expired": "certificate has expired",
        "server_only": "unsuitable certificate purpose",
        "revoked": "certificate revoked",
        "foreign": "unable to get local issuer certificate",
    }
    with run_door(equipment.environment, equipment.file.parent) as door:
        sender = equipment.ethoca(door)
        for name, why in refused.items():
            with pytest.raises(NO_CONNECTION):
                replace(sender, pair=getattr(certificates, name)).push()
            wait_for(lambda why=why: why in [line.get("why") for line in door.lines()])  # type: ignore[misc]  # a default in a lambda
        assert sender.push().status == 200
    assert len(equipment.journaled()) == 1


def test_no_certificate_when_every_source_demands_one(equipment: Equipment) -> None:
    """Without a source that could do without, there is no TLS connection without a certificate."""
    content = equipment.file.read_text()
    equipment.file.write_text(content[: content.rindex('[[sources]]\nname = "reseller"')])
    with run_door(equipment.environment, equipment.file.parent) as door:
        with pytest.raises(NO_CONNECTION):
            replace(equipment.ethoca(door), pair=None).push()
        assert equipment.ethoca(door).push().status == 200


def test_old_protocols_are_refused(equipment: Equipment) -> None:
    """TLS 1.2 is the oldest that is spoken."""
    with run_door(equipment.environment, equipment.file.parent) as door:
        context = equipment.ethoca(door).context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with connected(equipment.ethoca(door), context) as connection:
            assert connection.version() == "TLSv1.2"
        hello = bytes.fromhex("160301002f0100002b0301") + bytes(32) + bytes.fromhex("000004c0130035010000")
        with socket.create_connection(("127.0.0.1", door.port), timeout=10) as plain:
            plain.sendall(hello[:5] + hello[5:].ljust(0x2F, b"\0"))
            answer = plain.recv(7)
        assert answer[:1] == b"\x15"  # an alert, no server hello


def test_server_certificate_and_revocations_rotate(
    equipment: Equipment, authority: Issued, certificates: CertificateFiles, tmp_path: Path
) -> None:
    """New files are used without a restart, broken ones not at all, and a new revocation ends what is open."""
    with run_door(equipment.environment, equipment.file.parent, workers=2) as door:
        sender = equipment.ethoca(door)
        renewed = issue_certificate(authority, "CN=localhost", side="server", hosts=LOOPBACK)
        assert served_serial(sender) != renewed.certificate.serial_number

        key = (tmp_path / "server.key").read_bytes()
        (tmp_path / "server.key").write_bytes(b"half a file")
        wait_for(lambda: [line for line in door.lines() if line["event"] == "certificates not renewed"])
        assert sender.push().status == 200
        (tmp_path / "server.key").write_bytes(key)

        write_pair(tmp_path, "server", renewed)
        assert wait_for(lambda: served_serial(sender) == renewed.certificate.serial_number)

        client = read_pair(certificates.ca.parent, "client")
        assert client is not None
        kept = wait_for(lambda: kept_open(sender))
        assert kept is not None
        (tmp_path / "crl.pem").write_bytes(make_crl(authority, [client.certificate]))
        assert kept.sock.recv(1) == b""  # the door ends the connection by itself
        kept.close()
        wait_for(lambda: not admitted(sender))
        (tmp_path / "crl.pem").write_bytes(make_crl(authority))
        wait_for(lambda: admitted(sender))


def test_other_client_of_the_same_authority_pinned_by_fingerprint(
    equipment: Equipment, authority: Issued, tmp_path: Path
) -> None:
    """A certificate may be pinned by its fingerprint instead of its name, colons or not."""
    twin = issue_certificate(authority, CLIENT_SUBJECT, side="client")
    other = issue_certificate(authority, "CN=pinned", side="client")
    fingerprint = other.certificate.fingerprint(SHA256()).hex(":").upper()
    content = equipment.file.read_text()
    (line,) = [line for line in content.splitlines() if line.startswith("subjects = ")]
    equipment.configure((line, f'fingerprints = ["{fingerprint}"]'))
    with run_door(equipment.environment, equipment.file.parent) as door:
        sender = equipment.ethoca(door)
        assert replace(sender, pair=write_pair(tmp_path, "other", other)).push().status == 200
        assert replace(sender, pair=write_pair(tmp_path, "twin", twin)).push().status == 403


def test_stalled_handshakes_block_nobody(equipment: Equipment) -> None:
    """Connections that say nothing are dropped at the deadline, and others are served meanwhile."""
    equipment.configure(("[sealing]", "[door]\nhandshake_timeout = 4.0\n\n[sealing]"))
    with run_door(equipment.environment, equipment.file.parent) as door, ExitStack() as stack:
        stalled = [
            stack.enter_context(socket.create_connection(("127.0.0.1", door.port), timeout=10)) for _ in range(100)
        ]
        started = time.monotonic()
        assert equipment.ethoca(door).push().status == 200
        assert time.monotonic() - started < 3.5
        assert {connection.recv(1) for connection in stalled} == {b""}
        assert time.monotonic() - started < 9
        lines = [line for line in door.lines() if line["event"] == "connection refused"]
        assert {line["why"] for line in lines} == {"handshake too slow"}


def test_connections_per_address_are_limited(equipment: Equipment) -> None:
    """An address holds so many connections and no more; one that ends makes room again."""
    equipment.configure(("[sealing]", "[door]\nconnections_per_address = 3\n\n[sealing]"))
    with run_door(equipment.environment, equipment.file.parent) as door:
        sender = equipment.ethoca(door)
        held = [sender.connect() for _ in range(3)]
        assert [sender.push(connection=connection).status for connection in held] == [200] * 3
        with pytest.raises(NO_CONNECTION):
            sender.push()
        held.pop().close()

        assert wait_for(lambda: admitted(sender))
        for connection in held:
            connection.close()


def test_connection_ends_with_close_notify(equipment: Equipment) -> None:
    """The end of an answer can be told from a connection that was cut."""
    with run_door(equipment.environment, equipment.file.parent) as door:
        with connected(equipment.ethoca(door)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            received = read_to_the_end(connection)
        assert received.startswith(b"HTTP/1.1 404")


def test_idle_connection_does_not_hold_the_end(equipment: Equipment) -> None:
    """At a stop an idle keep-alive connection is let go, so that the door ends within a few seconds."""
    with ExitStack() as stack:
        door = stack.enter_context(run_door(equipment.environment, equipment.file.parent))
        idle = equipment.ethoca(door).connect()
        assert equipment.ethoca(door).push(connection=idle).status == 200
        door.popen.terminate()
        started = time.monotonic()
        assert door.popen.wait(15) == 0
        assert time.monotonic() - started < 6
        idle.close()


def test_connection_that_has_just_come_is_served_at_the_end(equipment: Equipment) -> None:
    """Who has connected before a stop may shake hands and push after it: no push is refused for a restart."""
    with ExitStack() as stack:
        door = stack.enter_context(run_door(equipment.environment, equipment.file.parent))
        sender = equipment.ethoca(door)
        plain = stack.enter_context(socket.create_connection(("127.0.0.1", door.port), timeout=10))
        wait_for(lambda: holds(door, plain))
        door.popen.terminate()
        wait_for(lambda: not answers(door.bind))
        connection = stack.enter_context(sender.context().wrap_socket(plain, server_hostname="localhost"))
        connection.sendall(request(sender).replace(b"Connection: close", b"Connection: keep-alive"))
        answer = exchange(connection, b"")
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert b"Connection: close" in answer
