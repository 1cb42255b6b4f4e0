"""The Celery application. Its tasks are only ticks that say "look": nothing of an alert travels in them.

Start pools by kind of work: `celery -A workers.app worker -Q drain` (prefork), `-Q forward -P threads`, and, where
remote enrichers are configured, `-Q enrich -P threads`.
"""

import os

from celery import Celery, signals
from kombu import Exchange, Queue

from schemas.journal.redis_address import require_redis
from schemas.journal.redis_client import describe_broker
from workers.deadline import stop_tasks
from workers.pool.garbage import collect_seldom
from workers.pool.growth import Growth
from workers.pool.liveness import PULSE
from workers.pool.metronome import SCHEDULE, Metronome
from workers.pool.watchdog import Watchdog
from workers.telemetry.exposition import Exposition, count_tick
from workers.telemetry.logs import configure_logs
from workers.telemetry.tracing import end_spans

signals.setup_logging.connect(configure_logs)  # and so Celery sets up none of its own
signals.worker_init.connect(collect_seldom)
signals.worker_shutting_down.connect(stop_tasks)
signals.task_received.connect(PULSE.take)
signals.task_postrun.connect(count_tick)
signals.worker_process_shutdown.connect(end_spans)
signals.worker_shutdown.connect(end_spans)

broker_url, sentinels = describe_broker(require_redis("BROKER_URL"))
# The celery command copies BROKER_URL there, where it would take the place of the address as kombu spells it.
os.environ.pop("CELERY_BROKER_URL", None)
app = Celery(
    "alert-intake",
    broker=broker_url,
    include=["workers.tasks"],
    amqp="workers.pool.broker:EagerAMQP",
    task_cls="workers.tick:Tick",
)
app.conf.update(
    task_queues=[Queue(name, Exchange(name), routing_key=name) for name in ("drain", "forward", "enrich")],
    task_default_queue="forward",
    task_routes={"workers.drain": {"queue": "drain"}, "workers.enrich": {"queue": "enrich"}},
    beat_schedule=SCHEDULE,
    beat_scheduler="workers.pool.metronome:GuardedScheduler",
    beat_max_loop_interval=1,
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    worker_prefetch_multiplier=1,
    worker_disable_prefetch=True,  # a tick behind another one in a worker would begin five seconds later
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "visibility_timeout": 300,
        "retry_on_timeout": False,
        **sentinels,
    },
    broker_heartbeat=0,
    enable_utc=True,
)
app.steps["worker"].update({Growth, Metronome, Watchdog, Exposition})
