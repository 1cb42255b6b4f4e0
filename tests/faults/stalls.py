"""How long the journal takes to make a write durable, seen beside the door: on a busy machine its disk may hold it up.

The door refuses what is not durable within its journal.timeout, and it is right to. Such a refusal is the machine's.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import redis

from tests.faults.load import Ledger
from tests.faults.site import Site

PROBE = "fault-suite:probe"
PAUSE = 0.1
REFUSED_FROM = 5.0  # seconds: journal.timeout of the local stack
AFTERWARDS = 10.0  # seconds within which a push that was held up hears of it, the second time
REASON = "503 JOURNAL_UNAVAILABLE"


@dataclass(slots=True)
class Stall:
    """When writes took so long to be durable that the door refuses (beginning and end), and the longest of all."""

    seconds: float = 0.0
    times: list[tuple[float, float]] = field(default_factory=list)

    def note(self, began: float, ended: float) -> None:
        """Note a write."""
        self.seconds = max(self.seconds, ended - began)
        if ended - began >= REFUSED_FROM:
            self.times.append((began, ended))

    def explains(self, ledger: Ledger) -> bool:
        """Tell whether all refusals are the journal's, each while it held up the write beside the door, too."""
        return set(ledger.reasons) <= {REASON} and all(
            any(began <= moment <= ended + AFTERWARDS for began, ended in self.times) for moment in ledger.refused_at
        )


@contextlib.contextmanager
def watch_journal(site: Site) -> Iterator[Stall]:
    """Write something small to the journal, again and again, until the block ends."""
    stall = Stall()
    ending = threading.Event()

    def watch() -> None:
        with site.journal(REFUSED_FROM * 2) as journal:
            while not ending.wait(PAUSE):
                began = time.monotonic()
                with contextlib.suppress(redis.RedisError):
                    pipeline = journal.pipeline(transaction=False)
                    pipeline.set(PROBE, "1")
                    pipeline.waitaof(1, 0, int(REFUSED_FROM * 2000))
                    pipeline.execute()
                stall.note(began, time.monotonic())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield stall
    finally:
        ending.set()
        watcher.join()
