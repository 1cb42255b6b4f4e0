"""Faults of the broker, in which nothing matters: ticks stop, alerts do not."""

import time
from uuid import uuid4

from celery import Celery

from tests.faults.site import TASK_SECONDS, Site
from tests.faults.trial import Fault

QUEUES = {"drain": "workers.drain", "forward": "workers.forward"}
CONSUMED_SECONDS = 5.0
AWAY_SECONDS = 60.0


def empty_broker(site: Site) -> None:
    """Delete every key, the queues' bindings among them, and look again when all tasks that ran then have ended."""
    with site.broker.client() as client:
        client.flushdb()
    time.sleep(TASK_SECONDS + 1)


def restart_broker(site: Site) -> None:
    """Kill and start it ten times in a row; then every worker takes messages again within seconds."""
    for _ in range(10):
        site.broker.kill()
        site.broker.start()
    wait_until_consumed(site, CONSUMED_SECONDS)


def lose_broker(site: Site) -> None:
    """Keep it away for a minute. Meanwhile the door goes on acknowledging."""
    site.broker.kill()
    time.sleep(AWAY_SECONDS)
    site.broker.start()


def wait_until_consumed(site: Site, seconds: float) -> None:
    """Put a tick of our own into every queue and wait until each has been taken by a worker.

    A worker that is busy takes the next tick when a task of it ends: that much is added.
    """
    began = time.monotonic()
    with Celery(broker=site.broker.url, set_as_current=False) as app, site.broker.client() as client:
        waiting = {str(uuid4()): queue for queue in QUEUES}
        for task_id, queue in waiting.items():
            app.send_task(QUEUES[queue], queue=queue, task_id=task_id)

        def consumed() -> bool:
            queued = b"".join(message for queue in QUEUES for message in client.lrange(queue, 0, -1))
            noted = b"".join(client.hvals("unacked"))
            return not any(task_id.encode() in queued + noted for task_id in waiting)

        site.seconds_until(consumed, seconds + TASK_SECONDS - (time.monotonic() - began), "every worker takes messages")


BROKER = [
    Fault("broker FLUSHDB", empty_broker, steady=True),
    Fault("broker kill -9 and restart, 10 in a row", restart_broker, steady=True),
    Fault("broker gone for a minute", lose_broker, steady=True),
]
