"""A program that stands back does so as the kernel counts it: among the processes of one session."""

import os
import time
from pathlib import Path

from deploy.embedded.children import start_child


def test_program_that_stands_back(tmp_path: Path) -> None:
    """The nice value reaches the process, which is in its starter's session: that of another would be weighed alone."""
    sleeper = start_child(["/bin/sleep", "60"], log=tmp_path / "log", environment={}, nice=3)
    try:
        deadline = time.monotonic() + 10
        while Path(f"/proc/{sleeper.pid}/comm").read_text() != "sleep\n" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert os.getpriority(os.PRIO_PROCESS, sleeper.pid) == os.getpriority(os.PRIO_PROCESS, 0) + 3
        assert os.getsid(sleeper.pid) == os.getsid(0)
        assert os.getpgid(sleeper.pid) == sleeper.pid
    finally:
        sleeper.kill()
        sleeper.wait()
