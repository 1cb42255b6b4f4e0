"""The connection to the broker: asked for again every second while the broker is gone, however long that takes.

kombu waits longer after each attempt, up to half a minute, and a worker would come to life that much later than its
broker. One small connection a second and worker costs nothing.
"""

from typing import Any

from celery.app.amqp import AMQP
from kombu import Connection

RETRY_SECONDS = 1.0
RETRIES = {"interval_start": RETRY_SECONDS, "interval_step": 0.0, "interval_max": RETRY_SECONDS}


class EagerConnection(Connection):
    """A connection that is made again soon."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> "EagerConnection":  # noqa: ANN401 - kombu's signature
        """Connect, and try again every second until it succeeds."""
        super().ensure_connection(*args, **(RETRIES | kwargs))
        return self


class EagerAMQP(AMQP):
    """What Celery makes its connections from."""

    Connection = EagerConnection
