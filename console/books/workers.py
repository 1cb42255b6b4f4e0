"""Which workers live, known by what they do, not by what they answer.

A worker may answer Celery's ping and yet take no work any more (celery #8030). So a drain lives when it has asked the
journal for entries within seconds, which it does without end; the forward and enrich workers live when they have asked
the database something within seconds: they look every second or so whether anything is due, however little there is.
To hold a session is no sign: a forwarder keeps its own, and one that takes no ticks any more would keep it for ever.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import redis

from console.connections import Database
from schemas.journal.append import ASIDE, GROUP

LIVE_SECONDS = 15.0
FORGET_SECONDS = 900.0  # a worker that has been silent for longer was replaced, unless it still holds entries
POOLS = ("drain", "forward", "enrich")


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker process of a pool, or, where only sessions can be seen, the workers of a pool on one address.

    pending  entries that a drain has in hand
    """

    pool: str
    name: str
    seen_at: datetime
    pending: int = 0

    def silent(self, now: datetime) -> float:
        """Return the seconds since it did something."""
        return max(0.0, (now - self.seen_at).total_seconds())

    def lives(self, now: datetime) -> bool:
        """Tell whether it did something within the last seconds."""
        return self.silent(now) <= LIVE_SECONDS


def find_drains(client: redis.Redis, stream: str, now: datetime) -> list[Worker]:
    """Return the drains that the journal knows; none before the first has made the group. Raises redis.RedisError."""
    try:
        consumers: Any = client.xinfo_consumers(stream, GROUP)
    except redis.ResponseError as error:
        if "no such key" in str(error) or "NOGROUP" in str(error):
            return []
        raise
    return [
        Worker("drain", consumer["name"].decode(), now - timedelta(milliseconds=consumer["idle"]), consumer["pending"])
        for consumer in consumers
        if consumer["name"] != ASIDE.encode()
    ]


def find_sessions(database: Database) -> list[Worker]:
    """Return the forward and enrich workers that have a session of the database, seen when it last was asked something.

    By the server's clock. Where that does not tell (`track_activities` is off, another role) they are seen now.
    """
    now = datetime.now(UTC)
    rows = database.execute(SELECT_SESSIONS).fetchall()
    return [
        Worker(row["pool"], row["address"] or "this host", now - timedelta(seconds=row["silent"] or 0)) for row in rows
    ]


def remember(known: Iterable[Worker], seen: Iterable[Worker], now: datetime) -> list[Worker]:
    """Return the workers by pool and name, each as seen last; without those that were silent for long."""
    latest: dict[tuple[str, str], Worker] = {}
    for worker in (*known, *seen):
        before = latest.get((worker.pool, worker.name))
        if before is None or before.seen_at <= worker.seen_at:
            latest[worker.pool, worker.name] = worker
    kept = [worker for worker in latest.values() if worker.silent(now) <= FORGET_SECONDS or worker.pending]
    return sorted(kept, key=lambda worker: (POOLS.index(worker.pool), worker.name))


SELECT_SESSIONS = """
    SELECT split_part(application_name, ' ', 2) AS pool, host(client_addr) AS address,
           greatest(extract(epoch FROM clock_timestamp() - max(state_change)), 0)::double precision AS silent
    FROM pg_stat_activity
    WHERE datname = current_database() AND application_name IN ('alert-intake forward', 'alert-intake enrich')
    GROUP BY 1, 2
"""
