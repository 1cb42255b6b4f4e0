"""Late: alerts that nobody asked about in time. Nobody does any more: what was held of them goes out, marked.

A station that runs settles them between two looks, some hundreds at a time, so that those that may still be enriched do
not wait for them. Without one, or when the last remote enricher was taken out of the configuration, a forward worker
does.
"""

from collections import Counter

import structlog

from workers.database.connections import Database, connect_database
from workers.deadline import Deadline
from workers.lookups.answers import Verdict
from workers.lookups.settle import settle_expired
from workers.settings import Workshop
from workers.telemetry.metrics import count_enrichment

log = structlog.get_logger()

AT_ONCE = 200
FORGOTTEN_SECONDS = 3600.0


def settle_late(database: Database, late: float = 0.0) -> Counter[Verdict]:
    """Settle some alerts that should have been given up `late` seconds ago: all that is pending has failed."""
    verdicts: Counter[Verdict] = Counter()
    for pending in settle_expired(database, AT_ONCE, late):
        count_enrichment("given_up", pending, 0.0)
        verdicts["given_up"] += 1
    if verdicts:
        log.warning("alerts_not_asked_about", alerts=verdicts.total())
    return verdicts


def settle_forgotten(workshop: Workshop, seconds: float) -> None:
    """Settle what no station has settled for an hour, for about `seconds`."""
    deadline = Deadline(seconds)
    with connect_database(workshop.database_url, "settle") as database:
        while deadline.left() > 0 and settle_late(database, FORGOTTEN_SECONDS):
            pass
