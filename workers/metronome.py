"""The metronome: a tick a second for every kind of work, from beat and from every worker's own timer.

Ticks are worth nothing: each may be lost, doubled or flushed. What matters is that they neither stop (so every worker
ticks for itself when beat is gone) nor pile up while no worker runs (so whoever ticks looks at the queue first; Redis
never expires list items, and an expiry by the clock would trust two hosts to agree on it).
"""

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
RELINK_SECONDS = 20.0
MAINTAIN_SECONDS = 3600.0
SCHEDULE: dict[str, dict[str, Any]] = {
    "drain": {"task": "workers.drain", "schedule": TICK_SECONDS, "options": {"queue": "drain"}},
    "forward": {"task": "workers.forward", "schedule": TICK_SECONDS, "options": {"queue": "forward"}},
    "enrich": {"task": "workers.enrich", "schedule": TICK_SECONDS, "options": {"queue": "enrich"}},
    "notify": {"task": "workers.notify", "schedule": NOTIFY_SECONDS, "options": {"queue": "forward"}},
    "audit": {"task": "workers.audit", "schedule": AUDIT_SECONDS, "options": {"queue": "forward"}},
    "relink": {"task": "workers.relink", "schedule": RELINK_SECONDS, "options": {"queue": "forward"}},
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
    """Ticks from the worker's own timer for the queues that it consumes, so that work goes on without beat."""

    requires = ("celery.worker.components:Timer",)

    def __init__(self, parent: Any, **options: Any) -> None:  # noqa: ANN401 - celery's own signature
        super().__init__(parent, **options)
        self.timers: list[Any] = []

    def start(self, parent: Any) -> None:  # noqa: ANN401 - celery's worker controller
        """Begin to tick."""
        for queue in parent.app.amqp.queues.consume_from:
            for entry in SCHEDULE.values():
                if entry["options"]["queue"] == queue:
                    tick = (parent.app, entry["task"], queue)
                    self.timers.append(parent.timer.call_repeatedly(entry["schedule"], send_tick, tick))

    def stop(self, parent: Any) -> None:  # noqa: ANN401, ARG002 - celery's own signature
        """Stop to tick."""
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()
