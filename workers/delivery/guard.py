"""Guard: connections that go only where they may, and an attempt that ends when its time is over.

A name is resolved once, and the connection is made to one of the addresses that were checked: a name that resolves to
one address for the check and to another for the connection (DNS rebinding) gains nothing. Nothing is sent to an address
that is refused, not even the beginning of a connection.

A time limit for each wait would let a receiver that sends a byte now and then hold its sender for ever. So every wait
gets what is left of the time for the whole attempt. Not in our hands is how long the system's resolver takes
(resolv.conf: mostly 5 seconds a server and try).
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssl_ import create_urllib3_context

from schemas.configuration import Forwarding
from workers.delivery.addresses import Reach

# Host and port -> what socket.getaddrinfo returns.
Resolve = Callable[[str, int], list[tuple[Any, ...]]]

MOST_HOSTS = 1000  # whose connections are kept open for the next delivery


class AddressRefused(Exception):
    """No address of the receiver may be delivered to. The message names none of them."""


class Attempt(threading.local):
    """When the attempt that this thread is making has to be over, by `time.monotonic`."""

    until: float = 0.0

    def left(self) -> float:
        """Return the seconds that are left. Raises TimeoutError when there are none."""
        seconds = self.until - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the time for this delivery is over")
        return seconds


ATTEMPT = Attempt()


@contextmanager
def limit_attempt(seconds: float) -> Iterator[None]:
    """Let what this thread does inside end after so many seconds, however it is spent on the network."""
    ATTEMPT.until = time.monotonic() + seconds
    try:
        yield
    finally:
        ATTEMPT.until = 0.0


class LimitedSocket(socket.socket):
    """A socket on which every wait ends with its thread's attempt."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:  # noqa: ANN401 - socket's own signature
        """Receive what comes in time."""
        self.settimeout(ATTEMPT.left())
        return super().recv_into(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - socket's own signature
        """Send all of it in time."""
        self.settimeout(ATTEMPT.left())
        super().sendall(*args, **kwargs)


class LimitedTLS(ssl.SSLSocket):
    """The same over TLS. The handshake as a whole is limited by the timeout of the socket that it is made on."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:  # noqa: ANN401 - socket's own signature
        """Receive what comes in time."""
        self.settimeout(ATTEMPT.left())
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:  # noqa: ANN401 - socket's own signature
        """Send what can be sent in time; `sendall` is made of it."""
        self.settimeout(ATTEMPT.left())
        return super().send(*args, **kwargs)


class OneSend(HTTPConnection):
    """A connection that sends the head of a request together with its body, which ours always has: one packet, not two.

    It saves a tenth of what a delivery costs, at both ends.
    """

    head = b""

    def send(self, data: Any) -> None:  # noqa: ANN401 - http.client's own signature
        """Keep the head until the body comes."""
        if not self.head and isinstance(data, bytes) and data.endswith(b"\r\n\r\n"):
            self.head = data
        else:
            whole, self.head = self.head + data, b""
            super().send(whole)

    def close(self) -> None:
        """Close the connection; what was not sent on it is not sent on the next."""
        self.head = b""
        super().close()


def open_pools(settings: Forwarding, resolve: Resolve | None = None) -> urllib3.PoolManager:
    """Return connections to receivers: guarded, kept open between deliveries, without proxies from the environment.

    `resolve` stands in for the system's resolver.
    """
    reach = Reach.read(settings)
    look_up = resolve or resolve_name

    def connect(connection: HTTPConnection) -> socket.socket:
        return connect_guarded(connection.host, connection.port or connection.default_port, reach, look_up)

    class Plain(OneSend, HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self)

    class Encrypted(OneSend, HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self)

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Encrypted

    pools = urllib3.PoolManager(
        MOST_HOSTS, maxsize=settings.concurrency, retries=False, ssl_context=make_tls_context(settings)
    )
    pools.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}
    return pools


def make_tls_context(settings: Forwarding) -> ssl.SSLContext:
    """Return the context that verifies receivers: by the public CAs, and by those of the configuration."""
    context = create_urllib3_context()
    context.load_verify_locations(certifi.where())
    if settings.service_ca is not None:
        context.load_verify_locations(settings.service_ca)
    context.sslsocket_class = LimitedTLS
    return context


def resolve_name(host: str, port: int) -> list[tuple[Any, ...]]:
    """Ask the system's resolver."""
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


def connect_guarded(host: str, port: int, reach: Reach, resolve: Resolve) -> socket.socket:
    """Connect to the first address of `host` that may be delivered to and answers. Raises AddressRefused or OSError."""
    found = resolve(host.strip("[]"), port)
    admitted = [one for one in found if reach.admits(str(one[4][0]))]
    if not admitted:
        raise AddressRefused(
            "the address is not a public one; forwarding.allow_networks or allow_private_addresses allow it"
        )
    failure: OSError | None = None
    for position, (family, kind, protocol, _name, address) in enumerate(admitted):
        connected = LimitedSocket(family, kind, protocol)
        try:
            connected.settimeout(ATTEMPT.left() / (len(admitted) - position))
            connected.connect(address)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connected.settimeout(ATTEMPT.left())
        except OSError as error:
            connected.close()
            failure = error
        else:
            return connected
    raise failure or OSError("the name has no address")
