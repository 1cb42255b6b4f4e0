"""The metronome: a tick a second for every kind of work, from beat and from every worker itself.

Ticks are worth nothing: each may be lost, doubled or flushed. What matters is that they neither stop (so every worker
ticks for itself when beat is gone) nor pile up while no worker runs (so whoever ticks looks at the queue first; Redis
never expires list items, and an expiry by the clock would trust two hosts to agree on it).
"""

import time
from threading import Event, Thread
from typing import Any, cast

import redis
import structlog
from celery import Celery, bootsteps
from celery.beat import ScheduleEntry, Scheduler
from kombu.exceptions import OperationalError

log = structlog.get_logger()

TICK_SECONDS = 1.0
NOTIFY_SECONDS = 10.0
AUDIT_SECONDS = 60.0
RELINK_EVERY_SECONDS = 20.0
SETTLE_EVERY_SECONDS = 20.0
MAINTAIN_SECONDS = 3600.0
SCHEDULE: dict[str, dict[str, Any]] = {
    "drain": {"task": "workers.drain", "schedule": TICK_SECONDS, "options": {"queue": "drain"}},
    "forward": {"task": "workers.forward", "schedule": TICK_SECONDS, "options": {"queue": "forward"}},
    "enrich": {"task": "workers.enrich", "schedule": TICK_SECONDS, "options": {"queue": "enrich"}},
    "notify": {"task": "workers.notify", "schedule": NOTIFY_SECONDS, "options": {"queue": "forward"}},
    "audit": {"task": "workers.audit", "schedule": AUDIT_SECONDS, "options": {"queue": "forward"}},
    "relink": {"task": "workers.relink", "schedule": RELINK_EVERY_SECONDS, "options": {"queue": "forward"}},
    "settle": {"task": "workers.settle", "schedule": SETTLE_EVERY_SECONDS, "options": {"queue": "forward"}},
    "maintain": {"task": "workers.maintain", "schedule": MAINTAIN_SECONDS, "options": {"queue": "forward"}},
}
# How many tasks may wait in a queue before another is not sent. The rarer ones may queue behind those that are not.
MOST_WAITING = {
    "workers.drain": 1,
    "workers.forward": 2,  # one of them may be another's
    "workers.enrich": 1,
    "workers.notify": 3,
    "workers.audit": 4,
    "workers.relink": 5,
    "workers.settle": 6,
    "workers.maintain": 10,
}


def waiting_ticks(app: Celery, queue: str) -> int:
    """Return how many ticks wait in a queue. Raises kombu's OperationalError or redis.RedisError."""
    with app.pool.acquire(block=True) as connection:
        return int(cast("Any", connection).default_channel.client.llen(queue))


def send_tick(app: Celery, task: str, queue: str) -> bool:
    """Send one tick unless one is waiting already. Return whether it was sent; a broker that is gone is no error."""
    try:
        if waiting_ticks(app, queue) >= MOST_WAITING[task]:
            return False
        app.send_task(task, queue=queue, retry=False)
    except (OperationalError, redis.RedisError, OSError) as error:
        log.warning("tick_not_sent", task=task, why=type(error).__name__)
        return False
    return True


class GuardedScheduler(Scheduler):
    """Beat's scheduler, in memory, that never queues a second tick behind one that nobody has taken."""

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:  # noqa: ANN401, ARG002 - celery's own
        """Send the entry's tick unless its queue is full."""
        send_tick(self.app, str(entry.task), (entry.options or {})["queue"])


class Metronome(bootsteps.StartStopStep):
    """Ticks by itself for the queues that the worker consumes, so that work goes on without beat.

    In a thread: Celery clears the timers of a worker whenever it loses the broker, and a broker that does not answer
    would hold up its main loop. Begun after the pool, so that its processes are forked without this thread.
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **options: Any) -> None:  # noqa: ANN401 - celery's own signature
        super().__init__(parent, **options)
        self.stopped = Event()

    def start(self, parent: Any) -> None:  # noqa: ANN401 - celery's worker controller
        """Begin to tick."""
        queues = set(parent.app.amqp.queues.consume_from)
        entries = [entry for entry in SCHEDULE.values() if entry["options"]["queue"] in queues]
        Thread(target=self.tick, args=(parent.app, entries), name="metronome", daemon=True).start()

    def stop(self, parent: Any) -> None:  # noqa: ANN401, ARG002 - celery's own signature
        """Stop to tick."""
        self.stopped.set()

    def tick(self, app: Celery, entries: list[dict[str, Any]]) -> None:
        """Send each tick at its time until the worker stops; one that is late is sent once."""
        due = [time.monotonic() + entry["schedule"] for entry in entries]
        while due and not self.stopped.wait(max(0.0, min(due) - time.monotonic())):
            for place, entry in enumerate(entries):
                now = time.monotonic()
                if due[place] <= now:
                    due[place] = now + entry["schedule"]
                    send_tick(app, entry["task"], entry["options"]["queue"])
