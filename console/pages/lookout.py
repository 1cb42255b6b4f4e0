"""The lookout: a thread of each console process that samples and looks for workers; beside it another audits the books.

What they find is shown on the pages together with when it was found; so a page costs the same whatever waits in the
journal, and says so itself when nobody looks any more.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import redis

from console.books.samples import SECONDS, count_journal, save_sample
from console.books.workers import Worker, find_drains, find_sessions, remember
from console.connections import open_database
from console.pages.auditor import Audited, Auditor
from console.pages.neighbours import Neighbours, ask_neighbours
from console.pages.senders import ASKED_EVERY, ask_sightings
from console.pages.unseen import surviving
from console.pool import ReadPool
from schemas.settings.configuration import Configuration
from schemas.telemetry.sightings import Sighting


@dataclass(frozen=True, slots=True)
class Sight:
    """What the lookout saw last. What could not be seen stays as it was, or is None.

    at         when it last saw the journal and the database
    sightings  the client certificates that the door saw last; asked every few rounds
    """

    at: datetime | None = None
    workers: list[Worker] = field(default_factory=list)
    neighbours: Neighbours = field(default_factory=Neighbours)
    sightings: list[Sighting] = field(default_factory=list)
    audited: Audited = field(default_factory=Audited)


class Lookout:
    """Looks out every few seconds, from its start until the process ends. Create it before the fork, start it after."""

    def __init__(self, configuration: Configuration, pool: ReadPool, journal: redis.Redis) -> None:
        self._stream = configuration.journal.stream
        self._settings = configuration.journal
        self._journal = journal
        self._auditor = Auditor(pool, journal, configuration.journal.stream)
        self._sight = Sight()
        self._started = threading.Lock()
        self._next_sightings = 0.0
        self._alive: Callable[[], bool] = lambda: True

    def sight(self) -> Sight:
        """Return what was seen last, and begin to look out when nobody has yet."""
        self.start()
        return replace(self._sight, audited=self._auditor.audited)

    def start(self) -> None:
        """Begin to look out; once, however often it is called."""
        if self._started.acquire(blocking=False):
            threading.Thread(target=self._look_out, name="lookout", daemon=True).start()
            self._auditor.start(lambda: self._alive())

    def lives_while(self, alive: Callable[[], bool]) -> None:
        """Look out only while `alive` says so."""
        self._alive = alive

    def _look_out(self) -> None:
        while self._alive():
            self._look()
            time.sleep(SECONDS - time.time() % SECONDS + 0.05)  # just after the moment that a sample is of

    def _look(self) -> None:
        now = datetime.now(UTC)
        seen: list[Worker] = []
        journal, seen_at = None, self._sight.at
        with surviving("journal"):
            journal = count_journal(self._journal, self._settings)
            seen += find_drains(self._journal, self._stream, now)
        with surviving("database"), open_database(writable=True) as database:
            save_sample(database, journal)
            seen += find_sessions(database)
            seen_at = seen_at if journal is None else now
        with surviving("neighbours"):
            self._sight = replace(self._sight, neighbours=ask_neighbours())
        if time.monotonic() >= self._next_sightings:
            self._next_sightings = time.monotonic() + ASKED_EVERY
            with surviving("sightings"):
                self._sight = replace(self._sight, sightings=ask_sightings())
        self._sight = replace(self._sight, at=seen_at, workers=remember(self._sight.workers, seen, now))
