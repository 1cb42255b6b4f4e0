"""A program that stands back does so as the kernel counts it: by process, and by session where it groups those."""

import os
import time
from pathlib import Path

from deploy.embedded.children import start_child

AUTOGROUP = Path("/proc/self/autogroup")


def test_program_that_stands_back(tmp_path: Path) -> None:
    """The nice value reaches the process, and its session's group where there are such groups."""
    sleeper = start_child(["/bin/sleep", "60"], log=tmp_path / "log", environment={}, nice=3)
    try:
        deadline = time.monotonic() + 10
        while Path(f"/proc/{sleeper.pid}/comm").read_text() != "sleep\n" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert os.getpriority(os.PRIO_PROCESS, sleeper.pid) == os.getpriority(os.PRIO_PROCESS, 0) + 3
        if AUTOGROUP.exists():
            assert Path(f"/proc/{sleeper.pid}/autogroup").read_text().endswith("nice 3\n")
    finally:
        sleeper.kill()
        sleeper.wait()
