"""Workers of a test's own, run by the documented command."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.running import ROOT
from tests.faults.site import Site
from tests.tether import tether

END_SECONDS = 20.0


def start_worker(site: Site, queue: str, pool: str, log: Path, **environment: str) -> subprocess.Popen[bytes]:
    """Start a worker of the stack's pipeline: `queue` as DRAIN and its like in site.py, and a pool of Celery's."""
    names = ("JOURNAL_URL", "BROKER_URL", "DATABASE_URL")
    known = os.environ | {name: site.run[name] for name in names} | {"PYTHONUNBUFFERED": "1"}
    known |= {"ALERT_INTAKE_CONFIG": str(site.stack.var / "config.toml")}
    celery = [sys.executable, "-m", "celery", "-A", "workers.app", "worker", *queue.split()]
    name = f"{log.stem}@faults"
    with log.open("wb") as output:
        return subprocess.Popen(
            tether([*celery, "-P", pool, "-c", "2", "-n", name, "--without-gossip", "--without-mingle"]),
            env=known | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            start_new_session=True,
        )


def end_worker(worker: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """Send the signal to a worker, and wait until it has ended; what is left of it then is killed."""
    worker.send_signal(how)
    try:
        worker.wait(END_SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)


@contextlib.contextmanager
def run_worker(site: Site, queue: str, pool: str, log: Path, **environment: str) -> Iterator[None]:
    """Run a worker for the time of the block."""
    worker = start_worker(site, queue, pool, log, **environment)
    try:
        yield
    finally:
        end_worker(worker)
