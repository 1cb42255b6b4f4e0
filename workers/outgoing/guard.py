"""Guard: connections that go only where they may.

A name is resolved once, and the connection is made to one of the addresses that were checked: a name that resolves to
one address for the check and to another for the connection (DNS rebinding) gains nothing. Nothing is sent to an address
that is refused, not even the beginning of a connection.
"""

import socket
from collections.abc import Callable
from typing import Any

from workers.outgoing.addresses import Reach
from workers.outgoing.limit import LIMIT, LimitedSocket

# Host and port -> what socket.getaddrinfo returns.
Resolve = Callable[[str, int], list[tuple[Any, ...]]]


class AddressRefused(Exception):
    """No address of the receiver may be delivered to. The message names none of them."""


def resolve_name(host: str, port: int) -> list[tuple[Any, ...]]:
    """Ask the system's resolver."""
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


def connect_guarded(host: str, port: int, reach: Reach, resolve: Resolve = resolve_name) -> socket.socket:
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
            connected.settimeout(LIMIT.left() / (len(admitted) - position))
            connected.connect(address)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connected.settimeout(LIMIT.left())
        except OSError as error:
            connected.close()
            failure = error
        else:
            return connected
    raise failure or OSError("the name has no address")
