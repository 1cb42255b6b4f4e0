"""The attacks on connections, by name: who holds many, says little, or is somebody else. Imports nothing of ours."""

import contextlib
import os
import select
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.e2e.attacker import BODY, Attacker

HALF_A_HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(99)


def stall_handshakes(attacker: Attacker) -> None:
    """Connect, say nothing or half a hello, and stay."""
    hold(attacker, 200, lambda _: attacker.connect(), lambda number: HALF_A_HELLO if number % 2 else b"")


def open_many(attacker: Attacker) -> None:
    """Hold 2,000 connections from sixteen addresses, one in twenty of them behind a whole handshake."""

    def connect(number: int) -> socket.socket:
        return attacker.connect_tls() if number % 20 == 0 else attacker.connect()

    hold(attacker, 2000, connect, lambda _: b"")


def stay_idle(attacker: Attacker) -> None:
    """Make whole handshakes and push nothing."""
    hold(attacker, 100, lambda _: attacker.connect_tls(), lambda _: b"")


def trickle_heads(attacker: Attacker) -> None:
    """Send the head of a request byte by byte, on many connections."""
    trickle(attacker, [b""], b"POST /push/ethoca HTTP/1.1\r\nX-Slow: " + b"x" * 5000)


def trickle_bodies(attacker: Attacker) -> None:
    """Send a body byte by byte, every other one after the right password."""
    heads = [attacker.head(length=100_000, password=password) for password in (None, "wrong")]
    trickle(attacker, heads, b"{" + b" " * 5000)


def trickle_chunks(attacker: Attacker) -> None:
    """Send chunks of one byte, without end, every other sender after the right password."""
    heads = [attacker.head("Transfer-Encoding: chunked", length=None, password=given) for given in (None, "wrong")]
    trickle(attacker, heads, b"1\r\nx\r\n" * 2000)


def come_with_foreign_certificates(attacker: Attacker) -> None:
    """Come with a certificate that somebody else has signed, under the right name."""
    context = attacker.context()
    with tempfile.TemporaryDirectory() as folder:
        wanted = x509.load_pem_x509_certificate(Path(attacker.facts["CLIENT_CERT"]).read_bytes())
        context.load_cert_chain(make_certificate(Path(folder), wanted.subject.rfc4514_string()))
        for _ in attacker.rounds(0.02):
            attacker.tries += 1
            with (
                contextlib.suppress(OSError),
                attacker.connect() as plain,
                context.wrap_socket(plain, server_hostname="localhost") as connection,
            ):
                connection.sendall(attacker.head("Connection: close", password=None) + BODY)
                attacker.let_in += b"HTTP/1.1 200" in connection.recv(65536)


def come_and_go(attacker: Attacker) -> None:
    """Break off at every point of a handshake, or speak something else than TLS."""
    for number in attacker.rounds(0.005):
        attacker.tries += 1
        with contextlib.suppress(OSError), attacker.connect() as plain:
            noise = (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(300), HALF_A_HELLO, b"\x16\x03\x01\xff\xff", b"")
            plain.sendall(noise[number % len(noise)])
            if number % 2:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset


def hold(attacker: Attacker, wanted: int, connect: Callable[[int], socket.socket], say: Callable[[int], bytes]) -> None:
    """Keep so many connections open, in place of those that the door ends."""
    held: list[socket.socket] = []
    while attacker.tries < wanted or attacker.left > 0:
        if len(held) < wanted and attacker.tries < 10 * wanted:
            with contextlib.suppress(OSError):
                connection = connect(attacker.tries)
                held.append(connection)
                connection.sendall(say(attacker.tries))
            attacker.tries += 1
            if attacker.tries == wanted:
                attacker.began = time.monotonic()
            continue
        time.sleep(0.1)
        watch = select.poll()
        for connection in held:
            watch.register(connection, select.POLLIN)
        ended = {descriptor for descriptor, _ in watch.poll(0)}
        for connection in [one for one in held if one.fileno() in ended]:
            held.remove(connection)
            connection.close()
    for connection in held:
        connection.close()


def trickle(attacker: Attacker, starts: Sequence[bytes], rest: bytes) -> None:
    """Send a start at once on sixty connections, the first of them with the certificate, and `rest` byte by byte."""
    connections = []
    for number in range(60):
        attacker.tries += 1
        with contextlib.suppress(OSError):
            connection = attacker.connect_tls(certificate=number % 2 == 0)
            connections.append(connection)
            connection.sendall(starts[number % len(starts)])
    attacker.began = time.monotonic()
    attacker.drip(connections, rest)
    attacker.read_answers(connections)


def make_certificate(folder: Path, name: str) -> Path:
    """Make a certificate that is signed by itself; return the file of it and its key. `name` is as RFC 4514 has it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name.from_rfc4514_string(name)
    builder = x509.CertificateBuilder(
        issuer_name=subject, subject_name=subject, public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=datetime.now(UTC) - timedelta(hours=1), not_valid_after=datetime.now(UTC) + timedelta(days=1),
    )  # fmt: skip
    own = folder / "own.pem"
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    own.write_bytes(builder.sign(key, SHA256()).public_bytes(Encoding.PEM) + pem)
    return own
