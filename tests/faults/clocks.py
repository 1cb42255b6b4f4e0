"""A worker whose clock is an hour off: nothing in the journal, the books or the deliveries may depend on it."""

import contextlib
import json
import signal
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.faults.journals import stopped
from tests.faults.site import DRAIN, FORWARD, WAIT_SECONDS, Site, send_signal
from tests.faults.workers import run_worker
from tests.programs import require_program


@dataclass(frozen=True, slots=True)
class Worker:
    """A kind of worker: how the documented command starts it, and which line of its log tells of work that is done."""

    name: str
    command: str
    pool: str
    event: str
    enough: int


WORKERS = [
    Worker("drain", DRAIN, "prefork", "batch_stored", 20),
    Worker("forward", FORWARD, "threads", "delivery_attempted", 20),
]


def work_by_another_clock(site: Site, worker: Worker, offset: int) -> None:
    """Let a worker of the test's own, whose clock is `offset` seconds off, do all the work of its kind for a while."""
    log = site.stack.var.parent / f"{worker.name}{offset}.log"
    with stopped([site.supervisor]):  # else it would start the stack's own again
        send_signal(site.pids(worker.command), signal.SIGKILL)
        skewed = {"LD_PRELOAD": str(clock_library(site)), "CLOCK_OFFSET": str(offset)}
        with run_worker(site, worker.command, worker.pool, log, **skewed):
            site.seconds_until(
                lambda: len(times_of_work(log, worker)) >= worker.enough, WAIT_SECONDS, "the worker works"
            )
            error = times_of_work(log, worker)[-1] - time.time() - offset
    assert abs(error) < 60, f"its clock is not that far off: {error}"


def clock_library(site: Site) -> Path:
    """Return the library that sets a program's clock, compiled once."""
    library = site.stack.var.parent / "clock.so"
    if not library.exists():
        source = Path(__file__).with_name("clock.c")
        subprocess.run([require_program("cc", "gcc"), "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def times_of_work(log: Path, worker: Worker) -> list[float]:
    """Return when, by its own clock, the worker did something, in seconds since the epoch."""
    found = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            entry = json.loads(line)
            if isinstance(entry, dict) and entry.get("event") == worker.event:
                found.append(datetime.fromisoformat(entry["timestamp"]).timestamp())
    return found
