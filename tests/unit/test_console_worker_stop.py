"""The console's worker when it is asked to stop."""

import signal
import threading
from types import SimpleNamespace

from gunicorn.workers.gthread import PollableMethodQueue

from console.web.worker import ConsoleWorker


def test_streams_are_woken_by_the_loop_and_once() -> None:
    """The signal's handler, which may not wait for a lock, leaves it to the loop; a second signal leaves nothing."""
    woken = threading.Semaphore(0)
    worker = ConsoleWorker.__new__(ConsoleWorker)  # as the arbiter would make it, without listeners
    worker.alive = True
    worker.method_queue = PollableMethodQueue()
    worker.method_queue.init()
    worker.wsgi = SimpleNamespace(extensions={"feed": SimpleNamespace(wake=woken.release)})
    for _ in range(2):
        worker.handle_exit(signal.SIGTERM, None)
    assert not worker.alive
    assert not woken.acquire(blocking=False)
    worker.method_queue.run_callbacks(None)
    assert woken.acquire(blocking=False)
    assert not woken.acquire(blocking=False)
    worker.method_queue.close()
