"""The Celery application and its one task. Acknowledged late, rejected when its worker is lost: as safe as it gets."""

import os
from functools import cache
from typing import Any

import psycopg
from celery import Celery
from psycopg.types.json import Jsonb

app = Celery("per_alert", broker=os.environ["PER_ALERT_BROKER"])
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)

INSERT = "INSERT INTO per_alert (alert_id, alert) VALUES (%s, %s) ON CONFLICT DO NOTHING"


@cache
def database() -> psycopg.Connection:
    """Return the connection of this worker process."""
    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)


@app.task
def store_alert(alert: dict[str, Any]) -> None:
    """Store one alert."""
    database().execute(INSERT, [alert["alertId"], Jsonb(alert)])
