"""Supply: batches off the journal, validated, one after another; under a backlog the next is taken ahead.

While PostgreSQL stores one batch a thread takes the next and validates it, so that neither waits for the other. Only
new entries are taken ahead, and only behind a full batch: a leftover, which may be what killed its last process, is
carried alone, and an alert that is pushed alone waits for nothing.

What a batch costs besides its entries is a dozen round trips. So when many come at once they are gathered for a moment,
a longer one the more there are, and what that saves is left for the door and the forwarders on the same machine.
"""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import redis

from workers.intake.consume import Consumer
from workers.intake.incarnation import JournalReplaced
from workers.intake.outcomes import Entry, Report
from workers.intake.validate import validate_entries
from workers.settings import Workshop

MANY = 16  # entries of one batch from which on the next one is worth waiting for
MOST = 64  # entries of one batch from which on it is waited for as long as is allowed


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries that were taken together. Without a report they stay there, unblamed. Moments are of `perf_counter`."""

    entries: list[Entry]
    reports: list[Report]
    taken: float
    validated: float


class Supply:
    """The batches of one drain. Leaving it puts back what was taken ahead and not carried: that is not to blame."""

    def __init__(self, workshop: Workshop, consumer: Consumer) -> None:
        self._workshop = workshop
        self._consumer = consumer
        self._full = workshop.configuration.drain.batch
        self._gather = workshop.configuration.drain.gather
        self._gather_until = 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="take-ahead")
        self._ahead: Future[Batch] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        ahead, self._ahead = self._ahead, None
        # Should the journal be gone, they stay with this consumer all the same.
        with suppress(redis.RedisError, JournalReplaced):
            if ahead is not None:
                self._consumer.put_back(ahead.result().entries)
        self._thread.shutdown()

    @property
    def is_ahead(self) -> bool:
        """Whether something is being taken ahead: it has to be carried, however late it is."""
        return self._ahead is not None

    def next_batch(self, seconds: float) -> Batch:
        """Return the next batch, waiting up to `seconds` for one. It may be empty. Raises as `Consumer.take`."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            return ahead.result()
        time.sleep(max(0.0, min(self._gather_until - time.monotonic(), seconds)))
        batch = self._validate(self._consumer.take(seconds))
        if MANY <= len(batch.entries) < self._full and not self._consumer.knows_of_more:
            self._gather_until = time.monotonic() + self._gather * min(1.0, len(batch.entries) / MOST) ** 2
        return batch

    def take_ahead(self, batch: Batch) -> None:
        """Begin to take what comes after `batch`, if that was full."""
        if len(batch.entries) >= self._full:
            self._ahead = self._thread.submit(lambda: self._validate(self._consumer.take_new(0)))

    def _validate(self, entries: list[Entry]) -> Batch:
        taken = time.perf_counter()
        reports = validate_entries(entries, self._workshop.configuration, self._workshop.keyring)
        if len(reports) < len(entries):
            reported = {report.entry.entry_id for report in reports}
            self._consumer.put_back([entry for entry in entries if entry.entry_id not in reported])
        return Batch(entries, reports, taken, time.perf_counter())
