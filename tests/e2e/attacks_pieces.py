"""The attacks by small pieces, sent as fast as they are taken, so that their reader is never without work.

Imports nothing of ours.
"""

import contextlib
import socket
from collections.abc import Sequence
from typing import Any

from tests.e2e.attacker import Attacker

GET = b"GET / HTTP/1.1\r\n\r\n"
HOGS = 8  # connections at the same time
AT_ONCE = 50  # pieces for one connection before it is the next one's turn


def pour_records(attacker: Attacker) -> None:
    """Send heads that do not end, each byte of them in a TLS record of its own."""
    begun = attacker.head(password=None)[:-2]
    pour(attacker, [begun + b"X-Long: ".ljust(size, b"x") for size in (50_000, 480_000)], b"x")


def pour_chunks(attacker: Attacker) -> None:
    """Send bodies in chunks of one byte, every other one after the right password."""
    heads = [attacker.head("Transfer-Encoding: chunked", length=None, password=given) for given in (None, "wrong")]
    pour(attacker, heads, b"1\r\nx\r\n" * 1000)


def pour_requests(attacker: Attacker) -> None:
    """Send requests behind each other, and read no answer."""
    pour(attacker, [b""], GET * 400)


def take_no_answers(attacker: Attacker) -> None:
    """Ask on without reading, on a hundred connections that have little room for answers."""
    connections: list[Any] = []
    for number in attacker.rounds():
        if len(connections) < 100:
            attacker.tries += 1
            with contextlib.suppress(OSError):
                connection = attacker.connect_tls(certificate=True)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
                connection.settimeout(0.01)
                connections.append(connection)
        if connections:
            connection = connections[number % len(connections)]
            try:
                connection.send(GET * 400)
            except TimeoutError:
                continue  # no room, for what is asked either
            except OSError:
                connections.remove(connection)
                connection.close()
    for connection in connections:
        connection.close()


def pour(attacker: Attacker, starts: Sequence[bytes], piece: bytes) -> None:
    """Send a start on each of a few connections, and then one piece after the other, each as one record."""
    connections: list[Any] = []
    while attacker.left > 0:
        while len(connections) < HOGS and attacker.left > 0:
            attacker.tries += 1
            with contextlib.suppress(OSError):
                connection = attacker.connect_tls(certificate=True)
                connections.append(connection)
                connection.settimeout(0.5)
                connection.sendall(starts[attacker.tries % len(starts)])
        for connection in list(connections):
            try:
                for _ in range(AT_ONCE):
                    connection.send(piece)
            except OSError:
                connections.remove(connection)
                attacker.read_answers([connection])
    attacker.read_answers(connections)
