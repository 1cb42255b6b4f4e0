"""Growth: `--autoscale` is refused for a pool that cannot grow. Celery would find out, and end, at its first tick."""

import os
from typing import Any

from celery import bootsteps

REFUSAL = (
    "--autoscale needs -P prefork: a pool of threads cannot grow. With threads, forwarding.concurrency and "
    "enrichment.remote.concurrency say how much is done at the same time"
)


class Growth(bootsteps.StartStopStep):
    """Looks at the pool once it is there."""

    requires = ("celery.worker.components:Pool",)

    def start(self, parent: Any) -> None:  # noqa: ANN401 - celery's worker controller
        """End the worker with one line if it could not do what it was told."""
        if parent.autoscale and not hasattr(parent.pool, "grow"):
            os.write(2, f"alert-intake worker: {REFUSAL}\n".encode())
            raise SystemExit(1)
