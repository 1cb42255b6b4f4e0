"""Whether a worker lives: its own clock ticks. While the broker is gone a worker only waits for it: then it lives."""

import time

import redis

from schemas.redis_address import require_redis
from schemas.redis_client import connect_redis

SILENCE_SECONDS = 30.0  # without a beat
ANSWER_SECONDS = 1.0


class Pulse:
    """Beats from the worker's timer, which stands still when its main loop does."""

    def __init__(self) -> None:
        self._beaten = time.monotonic()

    def beat(self) -> None:
        """Note that the timer runs."""
        self._beaten = time.monotonic()

    def is_alive(self) -> bool:
        """Say whether the worker lives. To start it again would not bring back a broker."""
        return time.monotonic() - self._beaten < SILENCE_SECONDS or not broker_answers()


def broker_answers() -> bool:
    """Ask the broker."""
    try:
        with connect_redis(
            require_redis("BROKER_URL"), timeout=ANSWER_SECONDS, connect_timeout=ANSWER_SECONDS
        ) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False
