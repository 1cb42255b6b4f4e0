"""One look at everything: what waits, what was counted so far, which workers live. It takes milliseconds.

A server that does not answer costs its own part of a look, not the rest: that is when somebody watches.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import psutil
import psycopg
import redis

from console.books.backfills import list_backfills
from console.books.backlog import ENDINGS, measure_stream
from console.books.present import count_present
from console.books.samples import count_journal
from console.books.workers import Worker, find_drains, find_sessions, remember
from console.connections import Database, open_database, open_redis
from console.unreachable import Unreachable
from schemas.journal.append import JournalUnavailable
from schemas.settings.journal import Journal

Answer = TypeVar("Answer")

BUSY_SHARE = 0.9  # of all processors of this machine; from here on another process gains nothing


@dataclass(frozen=True, slots=True)
class Look:
    """How things stood at one moment.

    at          seconds of the monotonic clock
    added       entries ever added to the journal, in this incarnation
    journal     console.books.backlog.measure_stream, None when the journal does not answer
    endings     alerts by ending, ever; None when the database does not answer
    present     console.books.present.count_present
    backfills   console.books.backfills.list_backfills
    delivered   attempts that succeeded since the look before, and `failed` those that did not
    processors  the share of this machine's processors that was busy since the look before, 0 to 1
    silent      the servers that did not answer, each with why
    """

    at: float
    added: int | None = None
    journal: dict[str, Any] | None = None
    endings: dict[str, int] | None = None
    present: dict[str, Any] | None = None
    backfills: Sequence[dict[str, Any]] = ()
    delivered: int = 0
    failed: int = 0
    workers: Sequence[Worker] = ()
    processors: float = 0.0
    silent: dict[str, str] = field(default_factory=dict)

    @property
    def ended(self) -> int | None:
        """Alerts that have got their ending, ever."""
        return None if self.endings is None else sum(self.endings.values())

    @property
    def stored(self) -> int | None:
        """Alerts that were stored as new, ever."""
        return None if self.endings is None else self.endings["stored"]

    @property
    def full(self) -> bool:
        """Whether this machine's processors are full."""
        return self.processors >= BUSY_SHARE


class Observer:
    """Looks again and again."""

    def __init__(self, settings: Journal) -> None:
        self._settings = settings
        self._since: datetime | None = None
        psutil.cpu_percent()  # the first answer speaks of nothing

    def look(self) -> Look:
        """Return how things stand now."""
        silent: dict[str, str] = {}
        journal = answer_of("journal", self._ask_journal, silent) or {}
        database = answer_of("database", self._ask_database, silent) or {}
        return Look(
            at=time.monotonic(),
            added=journal.get("added"),
            journal=journal.get("stream"),
            endings=database.get("endings"),
            present=database.get("present"),
            backfills=database.get("backfills", ()),
            delivered=database.get("delivered", 0),
            failed=database.get("failed", 0),
            workers=remember((), [*journal.get("drains", ()), *database.get("sessions", ())], datetime.now(UTC)),
            processors=psutil.cpu_percent() / 100,
            silent=silent,
        )

    def _ask_journal(self) -> dict[str, Any]:
        with open_redis("JOURNAL_URL") as client:
            return {
                "stream": measure_stream(client, self._settings),
                "added": count_journal(client, self._settings)["added"],
                "drains": find_drains(client, self._settings.stream, datetime.now(UTC)),
            }

    def _ask_database(self) -> dict[str, Any]:
        with open_database() as database:
            return self._count(database) | {
                "present": count_present(database),
                "backfills": list_backfills(database),
                "sessions": find_sessions(database),
            }

    def _count(self, database: Database) -> dict[str, Any]:
        """Count endings, and the attempts of the time since the last look, each exactly once."""
        row = database.execute(COUNT, {"since": self._since, "lag": LAG}).fetchone() or {}
        self._since = row["until"]
        endings = {name: int(row[name]) for name in ENDINGS}
        return {"endings": endings, "delivered": row["delivered"], "failed": row["failed"]}


def answer_of(server: str, ask: Callable[[], Answer], silent: dict[str, str]) -> Answer | None:
    """Return what a server answers; None when it does not, and then note why."""
    try:
        return ask()
    except (Unreachable, JournalUnavailable, redis.RedisError, psycopg.Error) as error:
        silent[server] = " ".join(str(error).split())[:300] or type(error).__name__
        return None


# Attempts are recorded a moment after the time that they bear.
LAG = timedelta(seconds=2)
COUNT = """
    WITH span AS (SELECT coalesce(%(since)s, now() - %(lag)s::interval) AS since, now() - %(lag)s::interval AS until)
    SELECT span.until,
           (SELECT count(*) FROM attempts, span s WHERE attempted_at >= s.since AND attempted_at < s.until
                AND status BETWEEN 200 AND 299) AS delivered,
           (SELECT count(*) FROM attempts, span s WHERE attempted_at >= s.since AND attempted_at < s.until
                AND (status IS NULL OR status NOT BETWEEN 200 AND 299)) AS failed,
           t.*
    FROM span, (SELECT coalesce(sum(stored), 0)::bigint AS stored, coalesce(sum(updated), 0)::bigint AS updated,
                       coalesce(sum(duplicate), 0)::bigint AS duplicate,
                       coalesce(sum(superseded), 0)::bigint AS superseded,
                       coalesce(sum(rejected), 0)::bigint AS rejected FROM totals) t
"""
