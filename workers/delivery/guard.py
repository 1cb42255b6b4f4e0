"""Guard: deliveries go to the public internet unless told otherwise, whatever a name resolves to.

The address is checked on the connected socket, before a byte is sent on it: a name that resolves to one address for a
check and to another for the connection (DNS rebinding) gains nothing.
"""

import ipaddress
import socket
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from schemas.configuration import Forwarding


class AddressRefused(Exception):
    """The receiver's address is private, loopback, link-local or otherwise not public. The message names no address."""


class GuardedHTTP(HTTPConnection):
    """A plain connection that refuses addresses that are not public."""

    def _new_conn(self) -> socket.socket:
        return refuse_private(super()._new_conn())


class GuardedHTTPS(HTTPSConnection):
    """A TLS connection that refuses addresses that are not public."""

    def _new_conn(self) -> socket.socket:
        return refuse_private(super()._new_conn())


class GuardedHTTPPool(HTTPConnectionPool):
    """Connections to one host over HTTP."""

    ConnectionCls = GuardedHTTP


class GuardedHTTPSPool(HTTPSConnectionPool):
    """Connections to one host over HTTPS."""

    ConnectionCls = GuardedHTTPS


class GuardedAdapter(HTTPAdapter):
    """A requests adapter whose connections are guarded."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - requests' own signature
        """Make the pool manager, with guarded pools."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": GuardedHTTPPool, "https": GuardedHTTPSPool}


class RefusedAdapter(HTTPAdapter):
    """Stands where plain HTTP is not allowed."""

    def send(self, *_args: Any, **_kwargs: Any) -> requests.Response:  # noqa: ANN401 - requests' own signature
        """Refuse the request."""
        raise AddressRefused("plain http is not allowed; use https or set forwarding.allow_http")


def refuse_private(connected: socket.socket) -> socket.socket:
    """Return the socket if its peer is a public address; close it and raise AddressRefused otherwise."""
    address = ipaddress.ip_address(connected.getpeername()[0].partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    if not address.is_global or address.is_multicast:
        connected.close()
        raise AddressRefused("the address is not a public one; set forwarding.allow_private_addresses to allow it")
    return connected


def open_session(settings: Forwarding, connections: int) -> requests.Session:
    """Return a session for deliveries: guarded as configured, no proxies or credentials from the environment."""
    session = requests.Session()
    session.trust_env = False
    adapter = HTTPAdapter if settings.allow_private_addresses else GuardedAdapter
    session.mount("https://", adapter(pool_connections=connections, pool_maxsize=connections))
    plain = adapter if settings.allow_http else RefusedAdapter
    session.mount("http://", plain(pool_connections=connections, pool_maxsize=connections))
    return session
