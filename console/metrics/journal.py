"""What waits in the journal, and in the broker's queues."""

from collections.abc import Iterator

import redis
from prometheus_client.core import Metric

from console.books.backlog import measure_queues, measure_stream
from console.metrics.gauges import gauge, gauges
from schemas.journal.stream import read_stream
from schemas.settings.journal import Journal


def measure_journal(client: redis.Redis, settings: Journal) -> Iterator[Metric]:
    """Measure the journal. Raises JournalUnavailable or redis.RedisError.

    How many entries there are and how much memory they take is told by the door's listener.
    """
    measured = measure_stream(client, settings)
    stream = read_stream(client, settings.stream)
    text = "Age of the oldest entry that is not settled, by the journal's own clock; 0 without any"
    yield gauge("journal_oldest_entry_age_seconds", text, measured["oldest_age"] or 0.0)
    yield gauge("journal_pending_entries", "Entries that a drain has in hand, or died with", measured["pending"])
    text = "Entries that are in the journal and due to nobody; anything but 0 is a fault"
    yield gauge("journal_orphaned_entries", text, stream.orphaned)


def measure_broker(client: redis.Redis) -> Iterator[Metric]:
    """Measure the queues. Raises redis.RedisError."""
    waiting = {(queue,): float(ticks) for queue, ticks in measure_queues(client).items()}
    yield gauges("waiting_ticks", "Ticks that no worker has taken yet", ("queue",), waiting)
