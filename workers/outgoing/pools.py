"""Pools: urllib3's connections as requests within bounds need them, beneath what `requests` knows of.

The guard connects, one TLS context verifies for the name of the host, and every wait ends with its attempt.
"""

import socket
import ssl
import time
from typing import Any

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssl_ import create_urllib3_context

from schemas.settings.forwarding import Forwarding
from workers.outgoing.addresses import Reach
from workers.outgoing.guard import Resolve, connect_guarded
from workers.outgoing.limit import LimitedTLS

# Seconds after a request within which its connection serves another. Firewalls and load balancers forget one that is
# idle, mostly after minutes, and tell nobody: the next delivery on it would wait for its whole time in vain.
IDLE_SECONDS = 30.0


class KeptConnection(HTTPConnection):
    """A connection that is not used again when it has been idle for too long.

    It sends the head of a request together with its body, which ours always has: one packet, not two. That saves a
    tenth of what a delivery costs, at both ends.
    """

    head = b""
    used = 0.0

    @property
    def is_connected(self) -> bool:
        """Say whether the pool may use it again."""
        return time.monotonic() - self.used < IDLE_SECONDS and super().is_connected

    def send(self, data: Any) -> None:  # noqa: ANN401 - http.client's own signature
        """Keep the head until the body comes."""
        if not self.head and isinstance(data, bytes) and data.endswith(b"\r\n\r\n"):
            self.head = data
        else:
            whole, self.head = self.head + data, b""
            self.used = time.monotonic()
            super().send(whole)

    def close(self) -> None:
        """Close the connection; what was not sent on it is not sent on the next."""
        self.head = b""
        super().close()


def make_pool_classes(reach: Reach, resolve: Resolve) -> dict[str, type[urllib3.HTTPConnectionPool]]:
    """Return the classes of pools, by scheme, whose connections the guard makes."""

    class Plain(KeptConnection, HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return connect_guarded(self.host, self.port or self.default_port, reach, resolve)

    class Encrypted(KeptConnection, HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return connect_guarded(self.host, self.port or self.default_port, reach, resolve)

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}


def make_tls_context(settings: Forwarding) -> ssl.SSLContext:
    """Return the context that verifies receivers: by the public CAs, and by those of the configuration."""
    context = create_urllib3_context()
    context.load_verify_locations(certifi.where())
    if settings.service_ca is not None:
        context.load_verify_locations(settings.service_ca)
    context.sslsocket_class = LimitedTLS
    return context
