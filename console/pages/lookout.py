"""The lookout: a thread of each console process that samples, looks for workers and holds the books against each other.

What it finds is shown on the pages together with when it was found; so a page costs the same whatever waits in the
journal, and says so itself when nobody looks any more.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import psycopg_pool
import redis
import structlog

from console.books.audit import audit_books, present_books
from console.books.samples import SECONDS, count_journal, save_sample
from console.books.workers import Worker, find_drains, find_sessions, remember
from console.connections import open_database
from console.pages.neighbours import Neighbours, ask_neighbours
from console.pages.standing import AUDIT_SECONDS
from console.pool import ReadPool
from console.unreachable import Unreachable
from schemas.settings.configuration import Configuration

AUDIT_SHARE = 0.1  # of the time at most is spent on the books: with a million entries waiting they take long
UNREACHABLE = (Unreachable, psycopg.Error, psycopg_pool.PoolTimeout, redis.RedisError, OSError)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sight:
    """What the lookout saw last. What could not be seen stays as it was, or is None.

    at           when it last saw the journal and the database
    books_every  seconds from the last audit to the next
    """

    at: datetime | None = None
    workers: list[Worker] = field(default_factory=list)
    neighbours: Neighbours = field(default_factory=Neighbours)
    books: dict[str, Any] | None = None
    books_at: datetime | None = None
    books_every: float = AUDIT_SECONDS


class Lookout:
    """Looks out every few seconds, from its start until the process ends. Create it before the fork, start it after."""

    def __init__(self, configuration: Configuration, pool: ReadPool, journal: redis.Redis) -> None:
        self._stream = configuration.journal.stream
        self._settings = configuration.journal
        self._pool = pool
        self._journal = journal
        self._sight = Sight()
        self._started = threading.Lock()
        self._alive: Callable[[], bool] = lambda: True
        self._next_audit = 0.0

    def sight(self) -> Sight:
        """Return what was seen last, and begin to look out when nobody has yet."""
        self.start()
        return self._sight

    def start(self) -> None:
        """Begin to look out; once, however often it is called."""
        if self._started.acquire(blocking=False):
            threading.Thread(target=self._look_out, name="lookout", daemon=True).start()

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
        self._sight = replace(self._sight, at=seen_at, workers=remember(self._sight.workers, seen, now))
        if time.monotonic() >= self._next_audit:
            self._audit(now)

    def _audit(self, now: datetime) -> None:
        began = time.monotonic()
        with surviving("books"), self._pool.connection() as database:
            books = present_books(audit_books(self._journal, database, self._stream))
            self._sight = replace(self._sight, books=books, books_at=now, books_every=space_audits(began))
        self._next_audit = began + space_audits(began)


def space_audits(began: float) -> float:
    """Return the seconds from the audit that began then, by `time.monotonic`, and is over now to the next."""
    return max(AUDIT_SECONDS, (time.monotonic() - began) / AUDIT_SHARE)


@contextmanager
def surviving(what: str) -> Iterator[None]:
    """Go on when a server does not answer, and whatever else happens: nobody would start the thread again."""
    try:
        yield
    except UNREACHABLE as error:
        log.warning("not_seen", what=what, why=type(error).__name__)
    except Exception:
        log.exception("lookout_failed", what=what)
