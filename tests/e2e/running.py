"""Start, stop and look at a run of the whole stack from outside. Imports nothing of ours."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]
START_SECONDS = 120.0
STOP_SECONDS = 15.0


@dataclass(slots=True)
class Account:
    """Who runs the stack: by which command Python is started, and which user it then is (None: that of the tests)."""

    python: tuple[str, ...] = (sys.executable,)
    uid: int | None = None
    gid: int | None = None
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Stack:
    """One folder and the run on it. `facts` are the lines of run.env."""

    var: Path
    output: Path
    account: Account = field(default_factory=Account)
    process: subprocess.Popen[bytes] | None = None
    facts: dict[str, str] = field(default_factory=dict)

    def launch(self, *options: str) -> subprocess.Popen[bytes]:
        """Start ``alert-intake up`` on the folder, in a session of its own, without waiting for anything.

        It ends with the test run, however that ends.
        """
        given = ("JOURNAL_URL", "BROKER_URL", "DATABASE_URL", "ALERT_INTAKE_CONFIG")
        inherited = {name: value for name, value in os.environ.items() if name not in given}
        up = ["-m", "console.command", "up", "--tethered", "--var", str(self.var)]
        command = [*self.account.python, *up, *options]
        with self.output.open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=inherited | self.account.environment,
                start_new_session=True,
            )

    def start(self, *options: str) -> float:
        """Start it and wait until run.env is there; return the seconds that took."""
        began = time.monotonic()
        self.process = self.launch(*options)
        process = self.process
        there = wait_until(lambda: self.is_up(process.pid) or process.poll() is not None, START_SECONDS)
        assert there, f"not up within {START_SECONDS:.0f} s\n{self.said()}"
        assert process.poll() is None, f"ended with exit status {process.returncode}\n{self.said()}"
        return time.monotonic() - began

    def is_up(self, pid: int) -> bool:
        """Read run.env; tell whether it is there and this process's own, none that a killed one left."""
        try:
            lines = (self.var / "run.env").read_text().splitlines()
        except OSError:
            return False
        self.facts = dict(line.split("=", 1) for line in lines)
        return self.facts.get("RUN_PID") == str(pid)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> list[int]:
        """Send the signal and return the pids of all that ran, once the command itself has ended."""
        assert self.process is not None
        ran = [self.process.pid, *descendants(self.process.pid)]
        self.process.send_signal(how)
        self.process.wait(STOP_SECONDS + 15)
        return ran

    @contextlib.contextmanager
    def running(self) -> Iterator[Self]:
        """Start it without the sample alerts, and stop it when the block ends."""
        try:
            self.start("--no-samples")
            yield self
        finally:
            if self.process is not None and self.process.poll() is None:
                self.stop()

    def said(self) -> str:
        """Return what the command printed, and the ends of the logs."""
        logs = sorted(self.var.glob("log/*.log"))
        ends = [f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs]
        return "\n".join([self.output.read_text(errors="replace"), *ends])


@contextlib.contextmanager
def open_folder(purpose: str) -> Iterator[Path]:
    """Make a short temporary folder that every account may enter, unlike pytest's own, until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix=f"alert-intake-{purpose}-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask until the condition holds; return whether it did in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def descendants(pid: int) -> list[int]:
    """Return the pids of all processes that descend from `pid`."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(entry.parent.name)] = int(fields[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def alive(pids: list[int]) -> list[int]:
    """Return those of the pids that still run (a zombie does not)."""
    left = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            left.append(pid)
    return left
