"""The tasks. Each opens what it needs, works for a few seconds, and ends, so that a warm shutdown ends in time."""

from functools import cache
from typing import Any

import structlog
from billiard import current_process

from workers.app import app
from workers.connections import connect_database
from workers.delivery.forward import forward
from workers.intake.pipeline import drain
from workers.settings import Workshop, load_workshop

log = structlog.get_logger()

FORWARD_SECONDS = 5.0
MONTHS_AHEAD = 3


@cache
def workshop() -> Workshop:
    """Read the settings once per process, after the fork."""
    return load_workshop()


@app.task(name="workers.drain", bind=True)
def drain_tick(self: Any) -> None:  # noqa: ANN401 - a bound celery task
    """Carry entries from the journal to the database for a few seconds."""
    # The same name for whoever takes this process's place, so that it finds at once what was left behind.
    consumer = f"{self.request.hostname}/{getattr(current_process(), 'index', 0)}"
    drain(workshop(), consumer, workshop().configuration.drain.seconds)


@app.task(name="workers.forward")
def forward_tick() -> None:
    """Deliver what is due for a few seconds."""
    forward(workshop(), FORWARD_SECONDS)


@app.task(name="workers.maintain")
def maintain_tick() -> None:
    """Make the partitions of the coming months."""
    with connect_database(workshop().database_url, "maintain") as database:
        made = [row["ensure_partitions"] for row in database.execute("SELECT ensure_partitions(%s)", [MONTHS_AHEAD])]
    if made:
        log.info("partitions_made", partitions=made)
