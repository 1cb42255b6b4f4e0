"""How long each station takes for a batch, and what came of it: counted once the batch is settled.

The stations need not hand anything on for it: a process carries one batch at a time, and a thread has its own watch.
"""

import threading
import time
from collections import Counter
from collections.abc import Sequence

from workers.intake.outcomes import Decisions, Entry
from workers.telemetry import metrics


class Watch(threading.local):
    """The batch that this thread carries. Seconds by `time.perf_counter`."""

    def __init__(self) -> None:
        self.began = self.passed = time.perf_counter()
        self.laps: dict[str, float] = {}


_watch = Watch()


def begin_batch(taken: float, validated: float) -> None:
    """Note that a batch is now carried, which was taken and validated at these moments, perhaps by another thread."""
    _watch.passed = time.perf_counter()
    _watch.began = _watch.passed - (validated - taken)
    _watch.laps = {"validate": validated - taken}


def pass_station(station: str) -> None:
    """Note that the batch has passed a station. One that is tried again counts with all its attempts."""
    now = time.perf_counter()
    _watch.laps[station] = _watch.laps.get(station, 0.0) + now - _watch.passed
    _watch.passed = now


def count_batch(entries: Sequence[Entry], decisions: Decisions) -> float:
    """Count a batch that is settled, and return the seconds that it took."""
    whole = time.perf_counter() - _watch.began
    metrics.BATCH_ENTRIES.observe(len(entries))
    metrics.BATCH_SECONDS.observe(whole)
    for station, seconds in _watch.laps.items():
        metrics.STATION_SECONDS.labels(station).observe(seconds)
    for ending, number in Counter(one.ending for one in decisions.endings).items():
        metrics.ENDINGS.labels(ending).inc(number)
    for (network, kind), number in Counter((one.network, one.kind) for one in decisions.stored.values()).items():
        metrics.ALERTS.labels(metrics.PROVIDERS.name(network), kind).inc(number)
    for _id, _report, _item, rejection in decisions.rejections:
        metrics.REJECTIONS.labels(rejection.reason).inc()
    reclaimed = sum(entry.deliveries > 1 for entry in entries)
    if reclaimed:
        metrics.RECLAIMED.inc(reclaimed)
    # The next one, should this have been half a batch.
    _watch.began = _watch.passed
    _watch.laps = {}
    return whole
