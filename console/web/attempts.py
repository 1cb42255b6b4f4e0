"""Limit how many wrong tokens of an address are taken note of. Counted in each process of the console by itself.

It keeps the noise down, no more: nobody guesses 256 bits.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from ipaddress import ip_address, ip_network

LIMIT = 10
SECONDS = 60.0
ADDRESSES = 10_000  # remembered at most; the one that failed first is forgotten first


class Attempts:
    """Failed attempts of the last minute, by address. Safe to use from threads."""

    def __init__(
        self, limit: int = LIMIT, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._failed: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def wait(self, address: str) -> float:
        """Return for how many seconds a wrong token of the address is one too many; 0 when it is not."""
        with self._lock:
            failed = self._failed.get(name_network(address))
            if failed is None or len(failed) < self._limit:
                return 0.0
            return max(0.0, failed[0] + self._seconds - self._clock())

    def note_failure(self, address: str) -> None:
        """Count a failed attempt."""
        with self._lock:
            network = name_network(address)
            failed = self._failed.pop(network, deque(maxlen=self._limit))
            failed.append(self._clock())
            self._failed[network] = failed
            if len(self._failed) > ADDRESSES:
                del self._failed[next(iter(self._failed))]


def name_network(address: str) -> str:
    """Return what counts as one sender: an IPv4 address, or the /64 that one IPv6 customer has."""
    try:
        parsed = ip_address(address)
    except ValueError:  # a unix socket
        return address
    if parsed.version == 4:
        return address
    return str(parsed.ipv4_mapped or ip_network((parsed, 64), strict=False))
