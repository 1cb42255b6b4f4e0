"""Whether the books balance: audited at most once a minute, whoever asks, and not while too much waits."""

import time
from collections.abc import Iterator
from threading import Lock
from typing import TYPE_CHECKING

import redis
from prometheus_client.core import Metric

from console.books.audit import audit_books
from console.connections import Database
from console.metrics.gauges import gauge
from console.pool import ReadPool

if TYPE_CHECKING:
    from schemas.journal.account import Account

AUDIT_SECONDS = 60.0
MOST_WAITING = 20_000  # entries that are read for it; their bodies come with them


class Books:
    """The latest audit of one process of the console."""

    def __init__(self, journal: redis.Redis, pool: ReadPool, stream: str) -> None:
        self._journal = journal
        self._pool = pool
        self._stream = stream
        self._lock = Lock()
        self._accounts: list[Account] = []
        self._audited_at = 0.0

    def measure(self) -> Iterator[Metric]:
        """Audit the books if that is due, and tell what the latest audit found. Raises what auditing raises."""
        with self._lock:
            if time.time() - self._audited_at >= AUDIT_SECONDS and self._journal.xlen(self._stream) <= MOST_WAITING:
                with self._pool.connection() as database:
                    self.audit(database)
            accounts, audited_at = self._accounts, self._audited_at
        if audited_at:
            missing = sum(abs(account.missing) for account in accounts)
            balanced = all(account.balanced for account in accounts)
            yield gauge("books_balanced", "1 while every entry is accounted for", int(balanced))
            yield gauge("books_missing_entries", "Entries added that are neither settled nor waiting", missing)

    def tell_when(self) -> Metric:
        """Tell when an audit last succeeded, 0 for never. Always told: an alert on its age is silent without it."""
        text = "When an audit of the books last succeeded, 0: never; none while very much waits in the journal"
        return gauge("books_audited_timestamp_seconds", text, self._audited_at)

    def audit(self, database: Database) -> None:
        """Audit the books."""
        self._accounts = audit_books(self._journal, database, self._stream)
        self._audited_at = time.time()
