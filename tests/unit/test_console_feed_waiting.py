"""Those who wait at the feed's buffer."""

import threading
import time
from collections.abc import Callable

import pytest

from console.feed.buffer import Buffer, Stretch

PATIENCE = 30.0


@pytest.mark.parametrize("end", [lambda buffer: buffer.extend(Stretch([], 6)), Buffer.wake], ids=["news", "the end"])
def test_who_waits_is_woken(end: Callable[[Buffer], None]) -> None:
    """Something new ends a wait, and so does being woken, long before its patience does."""
    buffer = Buffer()
    buffer.restart(5)
    waiter = threading.Thread(target=buffer.wait_beyond, args=(7, PATIENCE), daemon=True)
    waiter.start()
    deadline = time.monotonic() + PATIENCE / 3
    while waiter.is_alive() and time.monotonic() < deadline:
        end(buffer)  # again, since it may not have waited yet
        waiter.join(0.01)
    assert not waiter.is_alive()


def test_nobody_waits_for_what_is_there() -> None:
    """Behind the horizon there is nothing to wait for."""
    buffer = Buffer()
    buffer.restart(5)
    waiter = threading.Thread(target=buffer.wait_beyond, args=(4, PATIENCE), daemon=True)
    waiter.start()
    waiter.join(PATIENCE / 3)
    assert not waiter.is_alive()
