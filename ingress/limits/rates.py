"""How often: pushes by source and altogether, failed authentications by address. Counted over all worker processes."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from ingress.limits.peers import network_of
from ingress.limits.tally import Tally
from schemas.settings.door import Door
from schemas.settings.sources import Source

WINDOW_SECONDS = 10  # of a rate
MAX_SOURCES = 255
SKETCH_WIDTH = 1024
SKETCH_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Tallies:
    """The memory that the worker processes share. `salt` keeps strangers from choosing whose bucket they fill."""

    pushes: Tally
    failures: Tally
    salt: bytes


@cache
def share_tallies() -> Tallies:
    """Return the one shared memory. First called before gunicorn forks, so that every worker inherits it."""
    return make_tallies()


def make_tallies() -> Tallies:
    """Make memory that this process and those which it forks share."""
    return Tallies(
        pushes=Tally(MAX_SOURCES + 1, slot_seconds=1.0, window=WINDOW_SECONDS),
        failures=Tally(SKETCH_WIDTH * SKETCH_DEPTH, slot_seconds=10.0, window=6),
        salt=secrets.token_bytes(16),
    )


class PushRates:
    """The configured rates. A push that is refused for them is not counted, so a sender that slows down gets in."""

    def __init__(self, door: Door, sources: Iterable[Source], tally: Tally) -> None:
        self._tally = tally
        everybody = [] if door.pushes_per_second is None else [(0, limit_of(door.pushes_per_second))]
        self._limits: dict[str, list[tuple[int, int]]] = {}
        for place, source in enumerate(sources, start=1):
            own = [] if source.pushes_per_second is None else [(place, limit_of(source.pushes_per_second))]
            self._limits[source.name] = own + everybody

    def count(self, source: str) -> float | None:
        """Count one push. Return None when it may pass, else the seconds until one may."""
        counted: list[int] = []
        for bucket, limit in self._limits.get(source, ()):
            self._tally.add(bucket)
            counted.append(bucket)
            if self._tally.count(bucket) > limit:
                wait = self._tally.seconds_until_below(bucket, limit + 1)
                for earlier in counted:
                    self._tally.add(earlier, -1)
                return max(wait, 0.0)
        return None


def limit_of(pushes_per_second: float) -> int:
    """Return how many pushes a rate allows within the window."""
    return max(1, round(pushes_per_second * WINDOW_SECONDS))


class FailedAuthentications:
    """How often each address failed within the running minute.

    It only ever turns a 401 into a 429. Credentials are looked at first, so right ones pass whatever happened before.
    There is no end of addresses, so each has its place in a few buckets, which it shares with others by chance; the
    least full of them is the one that counts (a count-min sketch).
    """

    def __init__(self, per_minute: int, tallies: Tallies) -> None:
        self._per_minute = per_minute
        self._tally = tallies.failures
        self._salt = tallies.salt

    def count(self, address: str) -> float | None:
        """Count one failure. Return None while the address is within its limit, else the seconds until it is again."""
        buckets = self._buckets_of(network_of(address))
        for bucket in buckets:
            self._tally.add(bucket)
        _, least = min((self._tally.count(bucket), bucket) for bucket in buckets)
        if self._tally.count(least) <= self._per_minute:
            return None
        return self._tally.seconds_until_below(least, max(1, self._per_minute))

    def _buckets_of(self, network: str) -> list[int]:
        digest = hashlib.blake2b(network.encode(), key=self._salt, digest_size=2 * SKETCH_DEPTH).digest()
        places = [int.from_bytes(digest[2 * row : 2 * row + 2]) % SKETCH_WIDTH for row in range(SKETCH_DEPTH)]
        return [row * SKETCH_WIDTH + place for row, place in enumerate(places)]
