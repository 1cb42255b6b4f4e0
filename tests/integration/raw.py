"""Pushes as bytes, for what no library would send, on connections whose end is seen."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from tests.integration.door import ETHOCA_BODY, Sender


def head(sender: Sender, *lines: bytes) -> bytes:
    """Return the head of a push with further header lines."""
    said = [f"{name}: {value}".encode() for name, value in sender.headers.items()]
    start = [b"POST /push/ethoca HTTP/1.1", b"Host: localhost", b"Content-Type: application/json"]
    return b"\r\n".join([*start, *said, *lines, b"", b""])


def request(sender: Sender, *lines: bytes, body: bytes = ETHOCA_BODY) -> bytes:
    """Return a push with further header lines. The connection ends with its answer."""
    return head(sender, *lines, b"Content-Length: %d" % len(body), b"Connection: close") + body


@contextmanager
def connected(
    sender: Sender, context: ssl.SSLContext | None = None, session: ssl.SSLSession | None = None, address: str = ""
) -> Iterator[ssl.SSLSocket]:
    """Connect over TLS, from an address of this machine. To read an end without close_notify raises SSLEOFError."""
    context = context or sender.context()
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    with (
        socket.create_connection(("127.0.0.1", sender.port), 20, (address, 0)) as plain,
        context.wrap_socket(
            plain, server_hostname="localhost", suppress_ragged_eofs=False, session=session
        ) as connection,
    ):
        yield connection


def read_to_the_end(connection: socket.socket) -> bytes:
    """Return all that comes until the other side closes."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def exchange(connection: socket.socket, data: bytes) -> bytes:
    """Send bytes and return all that comes back until the other side closes, or has nothing to say for a second."""
    received = b""
    try:
        connection.settimeout(20)
        connection.sendall(data)
        connection.settimeout(1.0)
        while piece := connection.recv(65536):
            received += piece
    except (TimeoutError, ConnectionError, ssl.SSLError):
        return received
    return received


def exchange_tls(sender: Sender, data: bytes) -> bytes:
    """Do the same over TLS, as this sender."""
    with connected(sender) as connection:
        return exchange(connection, data)
