"""How long the journal takes to make a write durable, seen beside the door: on a busy machine its disk may hold it up.

The door refuses what is not durable within its journal.timeout, and it is right to. Such a refusal is the machine's.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import redis

from tests.faults.site import Site

PROBE = "fault-suite:probe"
PAUSE = 0.1
REFUSED_FROM = 1.0  # seconds: the default of journal.timeout
REASON = "503 JOURNAL_UNAVAILABLE"


@dataclass(slots=True)
class Stall:
    """The longest time that a write took to be durable, in seconds."""

    seconds: float = 0.0

    def explains(self, reasons: dict[str, int]) -> bool:
        """Tell whether all these refusals are the journal's, which was held up for as long as the door waits."""
        return set(reasons) <= {REASON} and self.seconds >= REFUSED_FROM


@contextlib.contextmanager
def watch_journal(site: Site) -> Iterator[Stall]:
    """Write something small to the journal, again and again, until the block ends."""
    stall = Stall()
    ending = threading.Event()

    def watch() -> None:
        with site.journal() as journal:
            while not ending.wait(PAUSE):
                began = time.monotonic()
                with contextlib.suppress(redis.RedisError):
                    pipeline = journal.pipeline(transaction=False)
                    pipeline.set(PROBE, "1")
                    pipeline.waitaof(1, 0, 5000)
                    pipeline.execute()
                stall.seconds = max(stall.seconds, time.monotonic() - began)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield stall
    finally:
        ending.set()
        watcher.join()
