"""The enrich station: alerts whose remote enrichers have to be asked before they are forwarded.

It leases alerts, asks about each in a thread, and writes what came of it. Nothing needs it to be delivered: whatever it
does not release in time falls due by itself.
"""

import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import structlog

from workers.database.connections import Database, connect_database
from workers.deadline import Deadline
from workers.intake.hold import CHANNEL
from workers.lookups.answers import Answers, Verdict, ask_remotes, record_answers
from workers.lookups.asking import Remote
from workers.lookups.late import settle_late
from workers.lookups.waiting import Waiting, lease_waiting, seconds_until_waiting
from workers.settings import Workshop

log = structlog.get_logger()

LONGEST_SLEEP = 1.0  # seconds without a look at what waits, should a notification be missed
LOOK_SECONDS = 0.05  # without a look at what waits, while something is being asked or is in other hands
MARGIN_SECONDS = 5.0


class Station:
    """The alerts of one run after another. What a slow enricher still holds at the end of one is left to the next."""

    def __init__(self, workshop: Workshop, remotes: Sequence[Remote]) -> None:
        self.settings = workshop.configuration.enrichment.remote
        self.database_url = workshop.database_url
        self.remotes = remotes
        self.lease = sum(remote.timeout for remote in remotes) + MARGIN_SECONDS
        self.threads = ThreadPoolExecutor(self.settings.concurrency, thread_name_prefix="enrich")
        self.in_flight: dict[Future[Answers], tuple[Waiting, float]] = {}

    def run(self, seconds: float) -> Counter[Verdict]:
        """Enrich what waits, for about `seconds`. Return the verdicts. Raises what the database raises."""
        deadline = Deadline(seconds)
        verdicts: Counter[Verdict] = Counter()
        with connect_database(self.database_url, "enrich") as database:
            database.execute(f"LISTEN {CHANNEL}")
            while deadline.left() > 0:
                free = self.settings.concurrency - len(self.in_flight)
                leased = lease_waiting(database, free, self.lease) if free else []
                for waiting in leased:
                    asked = self.threads.submit(ask_remotes, self.remotes, waiting, self.settings)
                    self.in_flight[asked] = (waiting, time.monotonic() + self.lease)
                late = settle_late(database)
                verdicts.update(late)
                if self.in_flight:
                    wait(self.in_flight, timeout=min(LOOK_SECONDS, deadline.left()), return_when=FIRST_COMPLETED)
                    verdicts.update(self.record_finished(database))
                elif not late:
                    rest(database, deadline)
        return verdicts

    def record_finished(self, database: Database) -> Counter[Verdict]:
        """Write what has come of those that have been asked. What cannot be written is asked again after its lease."""
        verdicts: Counter[Verdict] = Counter()
        for asked, (waiting, until) in list(self.in_flight.items()):
            if asked.done():
                # Out of hand first: one that cannot be written must not stand before the others for ever.
                del self.in_flight[asked]
                verdicts[record_answers(database, waiting, asked.result())] += 1
            elif time.monotonic() > until:
                # A plug-in that does not keep its time. Its thread is lost until it returns, its lease is over.
                log.error("enricher_overdue", alert_id=waiting.alert.id)
                del self.in_flight[asked]
        return verdicts

    def close(self) -> None:
        """Let go of the threads."""
        self.threads.shutdown(wait=False, cancel_futures=True)


def rest(database: Database, deadline: Deadline) -> None:
    """Sleep until an alert is announced or falls due, a second at most. What is due already is in other hands."""
    due_in = seconds_until_waiting(database)
    longest = min(LONGEST_SLEEP, deadline.left())
    timeout = longest if due_in is None else min(longest, max(due_in, LOOK_SECONDS))
    if timeout > 0:
        for _notification in database.notifies(timeout=timeout, stop_after=1):
            pass
