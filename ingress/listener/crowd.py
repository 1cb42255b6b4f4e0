"""Who is connected: each address has its share of the connections, and strangers make room when there are too many.

A stranger is a connection that has pushed nothing yet. Whoever fills the door with connections so pushes out his own
oldest ones, and nobody who has pushed.
"""

from collections import Counter
from contextlib import suppress
from ipaddress import ip_network
from socket import SHUT_RDWR
from typing import Any

from ingress.limits.peers import network_of
from ingress.listener.tls import TlsSocket
from ingress.trust.proxy import read_address
from schemas.settings.door import Door


class Crowd:
    """The open connections of one worker process. `most` of them may be open before the oldest stranger has to go."""

    def __init__(self, door: Door, most: int) -> None:
        self._share = door.connections_per_address
        self._front = tuple(ip_network(network) for network in door.front.networks) if door.front else ()
        self._most = most
        self._open: Counter[str] = Counter()
        self._strangers: dict[object, Any] = {}  # the oldest stands first
        self._proven: dict[object, Any] = {}

    def admit(self, address: str, guest: object, connection: Any) -> bool:  # noqa: ANN401 - gevent has no types
        """Let a connection in unless its address has its share already. `guest` is whatever serves it."""
        name = network_of(address)
        if self._open[name] >= self._share and not self._is_front(address):
            return False
        self._open[name] += 1
        self._strangers[guest] = connection
        if len(self._strangers) + len(self._proven) > self._most:
            self._turn_out_oldest()
        return True

    def replace(self, guest: object, connection: Any) -> None:  # noqa: ANN401 - as above
        """Note the TLS connection that a guest's plain one has become."""
        if guest in self._strangers:
            self._strangers[guest] = connection

    def prove(self, guest: object) -> None:
        """Remember that a guest has pushed: he is no stranger any more."""
        if guest in self._strangers:
            self._proven[guest] = self._strangers.pop(guest)

    def leave(self, address: str, guest: object) -> None:
        """Forget a connection that has ended."""
        name = network_of(address)
        self._open[name] -= 1
        if not self._open[name]:
            del self._open[name]
        self._strangers.pop(guest, None)
        self._proven.pop(guest, None)

    def connections(self) -> list[TlsSocket]:
        """Return all TLS connections."""
        guests = [*self._strangers.values(), *self._proven.values()]
        return [connection for connection in guests if isinstance(connection, TlsSocket)]

    def _turn_out_oldest(self) -> None:
        """End the connection of the stranger that came first, but for the last one; whoever serves it finds it so."""
        if len(self._strangers) < 2:
            return
        connection = self._strangers.pop(next(iter(self._strangers)))
        with suppress(OSError):  # gone already
            getattr(connection, "_sock", connection).shutdown(SHUT_RDWR)

    def _is_front(self, address: str) -> bool:
        peer = read_address(address)
        return peer is not None and any(peer in network for network in self._front)
