"""Late: alerts that nobody asked about in time. Nobody does any more: what was held of them goes out, marked.

A station that runs settles them between two looks, a few at a time, so that those that may still be enriched do not
wait for them. Without one, or when the last remote enricher was taken out of the configuration, maintenance does.
"""

from collections import Counter

import structlog

from workers.database.connections import Database, connect_database
from workers.deadline import Deadline
from workers.lookups.answers import Answers, Verdict, record_answers
from workers.lookups.waiting import lease_late
from workers.settings import Workshop

log = structlog.get_logger()

AT_ONCE = 10
LEASE_SECONDS = 60.0
FORGOTTEN_SECONDS = 3600.0
SECONDS = 30.0  # of one round of maintenance; what is left waits for the next


def settle_late(database: Database, late: float = 0.0) -> Counter[Verdict]:
    """Settle a few alerts that should have been given up `late` seconds ago: all that is pending has failed."""
    verdicts: Counter[Verdict] = Counter()
    for waiting in lease_late(database, AT_ONCE, LEASE_SECONDS, late):
        pending = waiting.alert.enrichment.get("pending", ())
        verdicts[record_answers(database, waiting, Answers(failed=dict.fromkeys(pending, "not asked in time")))] += 1
    return verdicts


def settle_forgotten(workshop: Workshop) -> None:
    """Settle what no station has settled for an hour."""
    deadline = Deadline(SECONDS)
    settled = 0
    with connect_database(workshop.database_url, "maintain") as database:
        while deadline.left() > 0 and (verdicts := settle_late(database, FORGOTTEN_SECONDS)):
            settled += verdicts.total()
    if settled:
        log.warning("enrichments_forgotten", alerts=settled)
