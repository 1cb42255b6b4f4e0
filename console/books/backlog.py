"""What is on its way: the journal, the queues of the workers, and what the database holds."""

from typing import Any

import redis

from console.connections import Database
from schemas.journal.append import GROUP
from schemas.journal.room import list_limits, measure_journal
from schemas.journal.stream import parse_id
from schemas.settings.journal import Journal

QUEUES = ("drain", "forward", "enrich")
ENDINGS = ("stored", "updated", "duplicate", "superseded", "rejected")


def measure_stream(client: redis.Redis, settings: Journal) -> dict[str, Any]:
    """Return what waits in the journal. Shares are of Redis's maxmemory (None when it has none), ages in seconds.

    entries  in the stream: not yet settled
    pending  of these, those that a drain has in hand
    full     the settings of those limits that are reached: the door refuses
    """
    state = measure_journal(client, settings)
    oldest: Any = client.xrange(settings.stream, count=1)
    age = None
    if oldest:
        seconds, microseconds = client.time()
        age = max(0.0, seconds + microseconds / 1e6 - parse_id(oldest[0][0])[0] / 1000)
    return {
        "entries": state.entries,
        "pending": count_pending(client, settings.stream),
        "oldest_age": age,
        "memory_used": state.used,
        "memory_limit": state.limit or None,
        "memory_share": state.used / state.limit if state.limit else None,
        "refuses_at_share": settings.max_memory_share,
        "full": [limit.setting for limit in list_limits(state, settings) if limit.reached],
    }


def count_pending(client: redis.Redis, stream: str) -> int:
    """Return how many entries drains have in hand; 0 before the first drain has made the group."""
    try:
        return int(client.xpending(stream, GROUP)["pending"])
    except redis.ResponseError as error:
        if "NOGROUP" in str(error):
            return 0
        raise


def measure_queues(client: redis.Redis) -> dict[str, int]:
    """Return how many ticks lie in each queue of the broker; none of them carries an alert."""
    return {queue: int(client.llen(queue)) for queue in QUEUES}


def sum_endings(database: Database) -> dict[str, int]:
    """Return how many pushes ended as what since the beginning, from the books' running totals."""
    row = database.execute(SUM_ENDINGS).fetchone() or {}
    return {name: int(row[name]) for name in ENDINGS}


SUM_ENDINGS = """
    SELECT coalesce(sum(stored), 0) AS stored, coalesce(sum(updated), 0) AS updated,
           coalesce(sum(duplicate), 0) AS duplicate, coalesce(sum(superseded), 0) AS superseded,
           coalesce(sum(rejected), 0) AS rejected
    FROM totals
"""
