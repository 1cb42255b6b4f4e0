"""A drain whose clock is an hour off: nothing in the journal or the books may depend on it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from tests.e2e.running import ROOT
from tests.faults.journals import stopped
from tests.faults.site import DRAIN, Site, send_signal
from tests.programs import require_program
from tests.tether import tether

BATCHES = 20


def drain_by_another_clock(site: Site, offset: int) -> None:
    """Let a worker of the test's own, whose clock is `offset` seconds off, drain alone for so many batches."""
    log = site.stack.var.parent / f"skewed{offset}.log"
    with stopped([site.supervisor]):  # else it would start the drains again
        send_signal(site.pids(DRAIN), signal.SIGKILL)
        with worker(site, offset, log):
            site.seconds_until(lambda: len(skews(log)) >= BATCHES, 60, "the worker drains")
    assert all(abs(skew - offset) < 60 for skew in skews(log)), skews(log)


@contextlib.contextmanager
def worker(site: Site, offset: int, log: Path) -> Iterator[None]:
    """Run a drain worker by the documented command, with its clock set wrong, for the time of the block."""
    library = site.stack.var.parent / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run([require_program("cc", "gcc"), "-shared", "-fPIC", "-o", library, source], check=True)
    names = ("JOURNAL_URL", "BROKER_URL", "DATABASE_URL")
    environment = os.environ | {name: site.run[name] for name in names}
    environment |= {"ALERT_INTAKE_CONFIG": str(site.stack.var / "config.toml"), "PYTHONUNBUFFERED": "1"}
    celery = [sys.executable, "-m", "celery", "-A", "workers.app", "worker"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            tether([*celery, "-Q", "drain", "-P", "prefork", "-c", "2", "-n", "skewed@faults", "--without-gossip"]),
            env=environment | {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(offset)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            start_new_session=True,
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def skews(log: Path) -> list[float]:
    """Return, for each batch that the log tells of, how far its clock was from that of the journal, in seconds."""
    found = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            entry = json.loads(line)
            if isinstance(entry, dict) and entry.get("event") == "batch_stored":
                journal = int(entry["last"].partition("-")[0]) / 1000
                found.append(datetime.fromisoformat(entry["timestamp"]).timestamp() - journal)
    return found
