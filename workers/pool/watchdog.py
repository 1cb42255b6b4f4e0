"""The watchdog: a worker that takes no ticks any more ends itself, so that whatever started it starts it again.

Nothing is lost with it: what it had in hand stays in the journal or in the outbox.
"""

import os
import signal
from threading import Event, Thread
from typing import Any

import structlog
from celery import bootsteps

from workers.pool.liveness import PULSE

LOOK_SECONDS = 5.0
LOOKS = 3  # in a row: ticks of others may wait for a moment
GRACE_SECONDS = 15.0

log = structlog.get_logger()


class Watchdog(bootsteps.StartStopStep):
    """Looks while the worker runs. Begun after the pool, so that its processes are forked without its thread."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **options: Any) -> None:  # noqa: ANN401 - celery's own signature
        super().__init__(parent, **options)
        self.stopped = Event()

    def start(self, parent: Any) -> None:  # noqa: ANN401 - celery's worker controller
        """Begin to look."""
        PULSE.begin(parent.app.amqp.queues.consume_from)
        Thread(target=self.watch, name="watchdog", daemon=True).start()

    def stop(self, parent: Any) -> None:  # noqa: ANN401, ARG002 - celery's own signature
        """Stop to look."""
        self.stopped.set()

    def watch(self) -> None:
        """Look until the worker stops, or end it: first as a stop would, then by force."""
        missed = 0
        while missed < LOOKS:
            if self.stopped.wait(LOOK_SECONDS):
                return
            missed = 0 if PULSE.is_alive() else missed + 1
        log.error("worker_takes_no_ticks", silent=round(PULSE.silent, 1))
        os.kill(os.getpid(), signal.SIGTERM)
        self.stopped.wait(GRACE_SECONDS)
        os._exit(1)
