"""Count by address: how many connections it holds, how often it failed to authenticate."""

import ipaddress
import time

WINDOW_SECONDS = 60.0
REMEMBER_AT_MOST = 10_000


def network_of(address: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 of an IPv6 one, which is one host's to fill."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


class FailedAuthentications:
    """How often each address failed within the running minute, in this worker process.

    It only ever turns a 401 into a 429. Credentials are looked at first, so right ones pass whatever happened before.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._counts: dict[str, tuple[float, int]] = {}

    def count(self, address: str) -> float | None:
        """Count one failure. Return None while the address is within its limit, else the seconds until it is again."""
        network, now = network_of(address), time.monotonic()
        since, failures = self._counts.pop(network, (now, 0))
        if now - since >= WINDOW_SECONDS:
            since, failures = now, 0
        self._counts[network] = (since, failures + 1)  # the newest stands last
        if len(self._counts) > REMEMBER_AT_MOST:
            del self._counts[next(iter(self._counts))]
        return None if failures < self._per_minute else since + WINDOW_SECONDS - now
