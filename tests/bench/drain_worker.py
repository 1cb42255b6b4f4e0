"""One worker process of the drain's benchmark: `python -m tests.bench.drain_worker drain|bare CONSUMER`.

It says that it is ready, waits for a line, empties the journal, and tells what it did as JSON.
"""

import json
import os
import sys
import time
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog

from tests.bench.drain_bare import carry_bare
from tests.bench.drain_site import make_workshop
from workers.database.connections import connect_stream
from workers.intake.drain import drain
from workers.pool.garbage import collect_seldom
from workers.settings import Workshop
from workers.telemetry import metrics

TICK_SECONDS = 5.0
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Samples:
    """The end of each batch, and the memory that is resident then, noted where its log line passes."""

    def __init__(self) -> None:
        self.ended = 0.0
        self.resident: list[int] = []

    def note(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
        """Note the batch, and drop its line."""
        if event["event"] == "batch_stored":
            self.ended = time.time()
            self.resident.append(int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES)
        raise structlog.DropEvent


def empty_journal(workshop: Workshop, kind: str, consumer: str) -> int:
    """Carry everything from the journal to the database, in ticks as a worker has them. Return how many entries."""
    entries = 0
    stream = workshop.configuration.journal.stream
    with connect_stream(workshop.journal_url) as client:
        while client.xlen(stream):
            if kind == "bare":
                entries += carry_bare(workshop, consumer)
            else:
                entries += drain(workshop, consumer, TICK_SECONDS).entries
    return entries


def stations() -> dict[str, float]:
    """Return the seconds spent in each station so far."""
    (family,) = metrics.STATION_SECONDS.collect()
    return {one.labels["station"]: one.value for one in family.samples if one.name.endswith("_sum")}


def main() -> None:
    """Wait, work, tell."""
    kind, consumer = sys.argv[1:]
    samples = Samples()
    structlog.configure(processors=[samples.note])
    collect_seldom()
    workshop = make_workshop(os.environ["BENCH_JOURNAL"], os.environ["BENCH_DATABASE"], os.environ["BENCH_STREAM"])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    began, cpu = time.time(), time.process_time()
    entries = empty_journal(workshop, kind, consumer)
    told = {
        "entries": entries,
        "began": began,
        "ended": samples.ended or time.time(),
        "stations": stations(),
        "resident": samples.resident,
        "cpu": time.process_time() - cpu,
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
