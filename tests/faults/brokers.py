"""Faults of the broker, in which nothing matters: ticks stop, alerts do not."""

import json
import time

import redis
from celery import Celery

from tests.faults.site import TASK_SECONDS, Site
from tests.faults.trial import Fault

QUEUES = {"drain": "workers.drain", "forward": "workers.forward"}
CONSUMED_SECONDS = 5.0
RESTARTED_SECONDS = 60.0
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


def wait_for_workers(site: Site) -> None:
    """Wait for workers that the fault before this one has ended."""
    wait_until_consumed(site, RESTARTED_SECONDS)


def lose_broker(site: Site) -> None:
    """Keep it away for a minute. Meanwhile the door goes on acknowledging."""
    site.broker.kill()
    time.sleep(AWAY_SECONDS)
    site.broker.start()


def wait_until_consumed(site: Site, seconds: float) -> None:
    """Put a tick of our own into every queue and wait until a worker has taken one of those that lie in each.

    Ours need not be the first: the broker's end gives ticks back to their queues. A worker that is busy takes the next
    one when a task of it ends: that much is added.
    """
    began = time.monotonic()
    with Celery(broker=site.broker.url, set_as_current=False) as app, site.broker.client() as client:
        there = {queue: set(list_ticks(client, queue)) for queue in QUEUES}
        for queue, task in QUEUES.items():
            there[queue].add(app.send_task(task, queue=queue).id)

        def consumed() -> bool:
            noted = b"".join(client.hvals("unacked")).decode()
            left = {queue: set(list_ticks(client, queue)) for queue in QUEUES}
            return all(any(tick not in left[queue] and tick not in noted for tick in there[queue]) for queue in QUEUES)

        site.seconds_until(consumed, seconds + TASK_SECONDS - (time.monotonic() - began), "every worker takes messages")


def list_ticks(client: redis.Redis, queue: str) -> list[str]:
    """Return the ids of the ticks in a queue."""
    return [json.loads(message)["headers"]["id"] for message in client.lrange(queue, 0, -1)]


EMPTIED = Fault("broker FLUSHDB", empty_broker, steady=True)
RESTARTED = Fault("broker kill -9 and restart, 10 in a row", restart_broker, steady=True, prepare=wait_for_workers)
BROKER = [
    EMPTIED,
    RESTARTED,
    Fault("broker gone for a minute", lose_broker, steady=True),
]
