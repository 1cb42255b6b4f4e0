"""How things stand: everything that the first page shows and judges."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from console.books.workers import Worker
from console.pages.auditor import Audited
from console.pages.certificates import Certificate
from console.pages.neighbours import Neighbours

STALE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand: what was asked just now (None when there was no answer), and what the lookout saw.

    looked_at  when that saw the journal and the database; None when it has not yet
    """

    now: datetime
    stream: dict[str, Any] | None
    present: dict[str, Any] | None
    audited: Audited
    looked_at: datetime | None
    workers: list[Worker] = field(default_factory=list)
    neighbours: Neighbours = field(default_factory=Neighbours)
    certificates: list[Certificate] = field(default_factory=list)
    remote: bool = False

    def lives(self, worker: Worker) -> bool:
        """Tell whether a worker lived when the lookout looked: that this was a while ago is no fault of the worker."""
        return worker.lives(self.looked_at or self.now)

    def pool_lives(self, pool: str) -> bool:
        """Tell whether a worker of the pool lived when the lookout looked."""
        return any(worker.pool == pool and self.lives(worker) for worker in self.workers)

    def stale(self) -> bool:
        """Tell whether what the lookout saw is too old to be believed."""
        return self.looked_at is None or (self.now - self.looked_at).total_seconds() > STALE_SECONDS

    def books_overdue(self) -> bool:
        """Tell whether the books were never audited, or should have been again by now; an audit may take its time."""
        audited = self.audited
        if audited.books is None or audited.at is None:
            return True
        return (self.now - audited.at).total_seconds() > STALE_SECONDS + 2 * audited.every
