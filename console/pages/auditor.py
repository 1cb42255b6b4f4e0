"""The auditor: a thread of each console process that holds the books against each other.

Apart from the lookout: what waits in the journal is read for an audit, one entry after another, and meanwhile the rest
is still to be seen.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import redis

from console.books.audit import MOST_WAITING, audit_books, present_books
from console.pages.unseen import surviving
from console.pool import ReadPool

AUDIT_SECONDS = 10.0  # from one audit of the books to the next, where few entries wait
AUDIT_SHARE = 0.1  # of the time at most is spent on the books


@dataclass(frozen=True, slots=True)
class Audited:
    """The books as they were found last.

    at       when, by the clock of this process; None before the first audit
    every    seconds from that audit to the next
    crowded  whether more entries wait than are read for an audit: none is made
    """

    books: dict[str, Any] | None = None
    at: datetime | None = None
    every: float = AUDIT_SECONDS
    crowded: bool = False


class Auditor:
    """Audits the books again and again, from its start for as long as `alive` says. Start it after the fork."""

    def __init__(self, pool: ReadPool, journal: redis.Redis, stream: str) -> None:
        self._pool = pool
        self._journal = journal
        self._stream = stream
        self.audited = Audited()

    def start(self, alive: Callable[[], bool]) -> None:
        """Begin."""
        threading.Thread(target=self._keep_auditing, args=[alive], name="auditor", daemon=True).start()

    def _keep_auditing(self, alive: Callable[[], bool]) -> None:
        while alive():
            began = time.monotonic()
            self._audit(began)
            time.sleep(space_audits(began))

    def _audit(self, began: float) -> None:
        now = datetime.now(UTC)
        with surviving("books"):
            crowded = self._journal.xlen(self._stream) > MOST_WAITING
            self.audited = replace(self.audited, crowded=crowded)
            if crowded:
                return
            with self._pool.connection() as database:
                books = present_books(audit_books(self._journal, database, self._stream))
            self.audited = Audited(books, now, space_audits(began))


def space_audits(began: float) -> float:
    """Return the seconds to the next audit from the end of the one that began then, by `time.monotonic`."""
    return max(AUDIT_SECONDS, (time.monotonic() - began) / AUDIT_SHARE)
