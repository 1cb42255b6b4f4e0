"""How things stand: everything that the first page shows and judges."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from console.books.workers import Worker
from console.pages.certificates import Certificate
from console.pages.neighbours import Neighbours

STALE_SECONDS = 60.0
AUDIT_SECONDS = 10.0  # from one audit of the books to the next, where few entries wait


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand: what was asked just now (None when there was no answer), and what the lookout saw.

    books_every  seconds from one audit to the next, after what the last one took
    """

    now: datetime
    stream: dict[str, Any] | None
    present: dict[str, Any] | None
    books: dict[str, Any] | None
    books_at: datetime | None
    looked_at: datetime | None
    workers: list[Worker] = field(default_factory=list)
    neighbours: Neighbours = field(default_factory=Neighbours)
    certificates: list[Certificate] = field(default_factory=list)
    remote: bool = False
    books_every: float = AUDIT_SECONDS

    def pool_lives(self, pool: str) -> bool:
        """Tell whether a worker of the pool lives."""
        return any(worker.pool == pool and worker.lives(self.now) for worker in self.workers)

    def stale(self) -> bool:
        """Tell whether what the lookout saw is too old to be believed."""
        return self.looked_at is None or (self.now - self.looked_at).total_seconds() > STALE_SECONDS

    def books_overdue(self) -> bool:
        """Tell whether the books were never audited, or should have been again by now; an audit may take its time."""
        if self.books is None or self.books_at is None:
            return True
        return (self.now - self.books_at).total_seconds() > STALE_SECONDS + 2 * self.books_every
