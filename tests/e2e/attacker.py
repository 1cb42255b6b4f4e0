"""What attacks are made of: connections from many addresses, bytes sent and dropped, a count of tries and of successes.

A successful try is one that was answered with 200, or not closed where it had to be. Imports nothing of ours.
"""

import base64
import contextlib
import itertools
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

BODY = b'{"alertId": "ABUSE", "alertType": "CUSTOMERDISPUTE"}'

WRONG = "wrong"


@dataclass(slots=True)
class Attacker:
    """Somebody who knows the address of the door and its CA; the credentials only where an attack says so."""

    facts: Mapping[str, str]
    seconds: float
    began: float = field(default_factory=time.monotonic)
    tries: int = 0
    let_in: int = 0
    _contexts: dict[bool, ssl.SSLContext] = field(default_factory=dict)
    _addresses: Iterator[int] = field(default_factory=lambda: itertools.cycle(range(2, 18)))

    @property
    def left(self) -> float:
        """Return the seconds that are left."""
        return self.began + self.seconds - time.monotonic()

    def rounds(self, pause: float = 0.0) -> Iterator[int]:
        """Yield numbers while there is time."""
        for number in itertools.count():
            if self.left <= 0:
                return
            yield number
            time.sleep(pause)

    def connect(self, address: str | None = None) -> socket.socket:
        """Open a TCP connection, from one of sixteen addresses of this machine unless told which."""
        url = urlsplit(self.facts["PUSH_URL"])
        own = address or f"127.0.0.{next(self._addresses)}"
        return socket.create_connection((str(url.hostname), int(url.port or 443)), 5, source_address=(own, 0))

    def context(self, *, certificate: bool = False) -> ssl.SSLContext:
        """Return a TLS context, without a certificate unless told otherwise."""
        if certificate not in self._contexts:
            context = self._contexts[certificate] = ssl.create_default_context(cafile=self.facts["CA_CERT"])
            if certificate:
                context.load_cert_chain(self.facts["CLIENT_CERT"], self.facts["CLIENT_KEY"])
        return self._contexts[certificate]

    def connect_tls(self, *, certificate: bool = False) -> ssl.SSLSocket:
        """Open a TLS connection."""
        plain = self.connect()
        try:
            return self.context(certificate=certificate).wrap_socket(plain, server_hostname="localhost")
        except BaseException:
            plain.close()
            raise

    def head(self, *lines: str, password: str | None = WRONG, length: int | None = len(BODY)) -> bytes:
        """Return the head of a push. A password of None is the right one."""
        credentials = self.facts["ETHOCA_BASIC"] if password is None else f"ethoca:{password}"
        said = [
            "POST /push/ethoca HTTP/1.1", "Host: localhost", "Content-Type: application/json",
            f"Authorization: Basic {base64.b64encode(credentials.encode()).decode()}",
        ]  # fmt: skip
        measured = [] if length is None else [f"Content-Length: {length}"]
        return "\r\n".join([*said, *measured, *lines, "", ""]).encode("latin-1")

    def attempt(self, data: bytes, *, certificate: bool = False, patience: float = 0.3) -> bytes:
        """Send bytes on a new TLS connection, and count a try; an answer of 200 is a success. Return the answer."""
        self.tries += 1
        answer = b""
        with contextlib.suppress(OSError), self.connect_tls(certificate=certificate) as connection:
            connection.sendall(data)
            connection.settimeout(patience)
            while piece := connection.recv(65536):
                answer += piece
        self.let_in += answer.count(b"HTTP/1.1 200")
        return answer

    def drip(self, connections: list[ssl.SSLSocket], data: bytes, pause: float = 0.2) -> None:
        """Send one byte after the other on all connections, until the time is over or the bytes are."""
        for number in self.rounds(pause):
            for connection in list(connections):
                try:
                    connection.sendall(data[number % len(data) : number % len(data) + 1])
                except OSError:
                    connections.remove(connection)
                    connection.close()

    def read_answers(self, connections: list[ssl.SSLSocket]) -> None:
        """Count what slow connections were answered in the end, and close them."""
        for connection in connections:
            with contextlib.suppress(OSError), connection:
                connection.settimeout(0.01)
                self.let_in += connection.recv(65536).count(b"HTTP/1.1 200")
