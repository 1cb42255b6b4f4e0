"""A steady pace until Ctrl-C."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from threading import Event
from types import FrameType


@contextmanager
def ended_by_interrupt() -> Iterator[Event]:
    """Yield what is set by Ctrl-C. A KeyboardInterrupt can get lost in a library; only a second Ctrl-C raises one."""
    ending = Event()

    def end(number: int, frame: FrameType | None) -> None:
        if ending.is_set():
            signal.default_int_handler(number, frame)
        ending.set()

    before = signal.signal(signal.SIGINT, end)
    try:
        yield ending
    finally:
        signal.signal(signal.SIGINT, before)


def pace(seconds: float, times: int | None, ending: Event) -> Iterator[int]:
    """Count rounds (None: until the end) at a steady pace; one that took longer is followed at once."""
    due = time.monotonic()
    for number in count() if times is None else range(times):
        if ending.wait(max(0.0, due - time.monotonic())):
            return
        due = max(due + seconds, time.monotonic())
        yield number
