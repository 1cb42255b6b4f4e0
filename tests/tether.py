"""Programs that a test starts end with the test run, however it ends: a killed run leaves nothing behind."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

# Run by its path, as the stack runs it: a program, not an import.
LAUNCHER = Path(__file__).parents[1] / "deploy" / "embedded" / "child.py"


def tether(command: Sequence[str | Path], death_signal: signal.Signals = signal.SIGKILL) -> list[str]:
    """Return the command so that `death_signal` reaches it when the thread that starts it ends. Its path is absolute.

    SIGKILL is for programs whose own children notice that; for others the signal that they pass on.
    """
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(death_signal)), "-", "0"]
    return [*launcher, *map(str, command)]
