"""The servers of the product that gunicorn runs, each as a process of its own with a log."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.ports import free_port
from tests.tether import tether

ROOT = Path(__file__).resolve().parents[1]
Value = TypeVar("Value")


@dataclass(slots=True)
class Process:
    """A running gunicorn and what it wrote."""

    popen: subprocess.Popen[bytes]
    bind: str
    output: Path
    errors: Path

    @property
    def port(self) -> int:
        """The port it listens on, 0 on a unix socket."""
        return 0 if self.bind.startswith("unix:") else int(self.bind.rpartition(":")[2])

    def written(self) -> list[dict[str, Any]]:
        """Return all log lines written so far; one that is being written is left for later."""
        whole, _, _ = self.output.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def lines(self) -> list[dict[str, Any]]:
        """Return the log lines about connections, requests and files."""
        return [line for line in self.written() if line["event"] != "worker ready"]

    def ready(self) -> int:
        """Return how many worker processes have started."""
        return len(self.written()) - len(self.lines())

    def line(self, request_id: str) -> dict[str, Any]:
        """Return the one line about a request. It is written before the answer is sent."""
        (found,) = [line for line in self.lines() if line.get("request_id") == request_id]
        return found


def wait_for(condition: Callable[[], Value], seconds: float = 15.0) -> Value:
    """Wait until a condition holds and return what it returned; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


def answers(bind: str) -> bool:
    """Say whether somebody listens."""
    family = socket.AF_UNIX if bind.startswith("unix:") else socket.AF_INET
    with socket.socket(family) as probe:
        return probe.connect_ex(bind[5:] if family == socket.AF_UNIX else ("127.0.0.1", int(bind.split(":")[1]))) == 0


@contextmanager
def run_gunicorn(file: str, app: str, environment: dict[str, str], bind: str, folder: Path) -> Iterator[Process]:
    """Run one of the door's two servers until the block ends, and expect it to end cleanly."""
    folder.mkdir(parents=True, exist_ok=True)
    name = app.partition(":")[0]
    output, errors = folder / f"{name}.out", folder / f"{name}.err"
    with output.open("wb") as out, errors.open("wb") as err:
        popen = subprocess.Popen(
            tether([sys.executable, "-m", "gunicorn", "-c", file, app]),
            cwd=ROOT, env=environment, stdout=out, stderr=err, start_new_session=True,
        )  # fmt: skip
    try:
        wait_for(lambda: answers(bind) or popen.poll() is not None)
        assert popen.poll() is None, errors.read_text()
        yield Process(popen, bind, output, errors)
    finally:
        popen.terminate()
        try:
            status = popen.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(popen.pid, signal.SIGKILL)
            popen.wait()
            raise
    assert status == 0, errors.read_text()
    assert "Traceback" not in errors.read_text(), errors.read_text()


@contextmanager
def run_door(
    environment: dict[str, str], folder: Path, *, workers: int = 1, bind: str | None = None
) -> Iterator[Process]:
    """Run the door."""
    bind = bind or f"127.0.0.1:{free_port()}"
    own = environment | {"INGRESS_BIND": bind, "INGRESS_WORKERS": str(workers)}
    with run_gunicorn("deploy/gunicorn.conf.py", "ingress.app:create_app()", own, bind, folder) as process:
        wait_for(lambda: process.ready() >= workers)
        yield process


@contextmanager
def run_platform(environment: dict[str, str], folder: Path) -> Iterator[Process]:
    """Run the platform's listener."""
    bind = f"127.0.0.1:{free_port()}"
    own = environment | {"PLATFORM_BIND": bind}
    with run_gunicorn("deploy/gunicorn.platform.conf.py", "ingress.health:create_app()", own, bind, folder) as process:
        yield process
