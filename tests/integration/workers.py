"""A worker as a process of its own, and its log."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gunicorn import ROOT, wait_for
from tests.tether import tether


@dataclass(frozen=True, slots=True)
class Worker:
    """A running worker."""

    popen: subprocess.Popen[bytes]
    log: Path

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the whole log lines of one kind."""
        whole, _, _ = self.log.read_text().rpartition("\n")
        return [line for line in map(read_line, whole.splitlines()) if line.get("event") == event]


def read_line(line: str) -> dict[str, Any]:
    """Return a log line; one that is no JSON (Celery's banner) as an empty one."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def run_worker(environment: dict[str, str], log: Path, *options: str) -> Iterator[Worker]:
    """Run a worker until the block ends, and expect it to end cleanly; it ticks by itself."""
    command = ["-m", "celery", "-A", "workers.app", "worker", "--without-gossip", "--without-mingle", *options]
    with log.open("wb") as output:
        popen = subprocess.Popen(
            tether([sys.executable, *command]), cwd=ROOT, env=environment, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    worker = Worker(popen, log)
    try:
        wait_for(lambda: " ready." in log.read_text() or popen.poll() is not None, 30)
        assert popen.poll() is None, log.read_text()
        yield worker
    finally:
        popen.send_signal(signal.SIGTERM)
        try:
            popen.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(popen.pid, signal.SIGKILL)
            popen.wait()
            raise
