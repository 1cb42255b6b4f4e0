"""Whether a worker lives: it takes the ticks that wait for it.

A worker may answer Celery's ping, keep its connections and yet take nothing any more (celery #8030, #10205; seen here
after a line to the broker that was dead and open). While the broker is gone a worker only waits for it: then it lives.
"""

import time
from collections.abc import Iterable

import redis

from schemas.journal.redis_address import require_redis
from schemas.journal.redis_client import connect_redis

# Without a tick taken, while some wait. Longer than a tick may be in hand: one waits 65 s for a dead PostgreSQL.
SILENCE_SECONDS = 90.0
ANSWER_SECONDS = 1.0


class Pulse:
    """When this worker last took a tick, and which queues it takes them from."""

    def __init__(self) -> None:
        self._taken = time.monotonic()
        self._queues: tuple[str, ...] = ()

    def begin(self, queues: Iterable[str]) -> None:
        """Begin to watch: the worker takes ticks from these queues from now on."""
        self._queues = tuple(queues)
        self._taken = time.monotonic()

    def take(self, **_signal: object) -> None:
        """Note that a tick was taken. Connected to Celery's `task_received`."""
        self._taken = time.monotonic()

    @property
    def silent(self) -> float:
        """Seconds since a tick was taken."""
        return time.monotonic() - self._taken

    def is_alive(self) -> bool:
        """Say whether the worker lives. To start it again would not bring back a broker."""
        return self.silent < SILENCE_SECONDS or not ticks_wait(self._queues)


PULSE = Pulse()


def ticks_wait(queues: Iterable[str]) -> bool:
    """Ask the broker whether a tick waits in any of the queues; no answer is a no."""
    try:
        with connect_redis(
            require_redis("BROKER_URL"), timeout=ANSWER_SECONDS, connect_timeout=ANSWER_SECONDS
        ) as client:
            return any(client.llen(queue) for queue in queues)
    except (redis.RedisError, OSError):
        return False
