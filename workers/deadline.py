"""When a task has to end: after its time, or at once when its worker is asked to stop.

The flag lies in memory that a worker shares with the processes it forks, so that a warm shutdown takes a second rather
than a task's whole time.
"""

import time
from multiprocessing import get_context

STOPPING = get_context("fork").Event()


class Deadline:
    """The end of a task's time, `seconds` from now."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left, 0 or less when it is time to end."""
        return 0.0 if STOPPING.is_set() else self._until - time.monotonic()


def stop_tasks(**_signal: object) -> None:
    """Ask every running task of this worker to end soon. Connected to Celery's `worker_shutting_down`."""
    STOPPING.set()
