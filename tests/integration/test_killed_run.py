"""A run of the tests that is killed leaves no process behind."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.e2e.processes import command_line
from tests.e2e.running import ROOT, alive, descendants, wait_until

EVERYTHING = ("ingress.app", "console.app", "celery", "valkey-server", "postgres", "console.command up")


def test_killed_run_leaves_nothing_behind(tmp_path: Path) -> None:
    """After `kill -9` of pytest all that it had started ends within seconds: servers, workers, whole stacks."""
    up = tmp_path / "up"
    with (tmp_path / "output").open("wb") as output:
        run = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider", "--basetemp", tmp_path / "run",
             "tests/integration/everything.py"],
            cwd=ROOT, env=os.environ | {"EVERYTHING_IS_UP": str(up)}, stdin=subprocess.DEVNULL, stdout=output,
            stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        assert wait_until(lambda: up.exists() or run.poll() is not None, 90), (tmp_path / "output").read_text()
        assert up.exists(), (tmp_path / "output").read_text()
        ran = descendants(run.pid)
        commands = [command_line(pid) for pid in ran]
        assert [part for part in EVERYTHING if not any(part in command for command in commands)] == []
    finally:
        run.kill()
        run.wait()
    ended = wait_until(lambda: alive(ran) == [], 30)
    left = [command_line(pid) for pid in alive(ran)]
    for pid in alive(ran):
        os.kill(pid, signal.SIGKILL)
    assert ended, left
    shutil.rmtree(up.read_text(encoding="utf-8"), ignore_errors=True)
