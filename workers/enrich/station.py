"""The enrich station: alerts whose remote enrichers have to be asked before they are forwarded.

It leases alerts, asks about each in a thread, and writes what came of it. Nothing needs it to be delivered: whatever it
does not release in time falls due by itself.
"""

import random
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Literal

import structlog

from schemas.enrichers import RemoteEnrichment
from workers.connections import Database, connect_database
from workers.deadline import Deadline
from workers.enrich.asking import Refused, Remote, Unavailable
from workers.enrich.hold import CHANNEL
from workers.enrich.waiting import Waiting, finish, lease_waiting, postpone, seconds_until_waiting
from workers.metrics import count_enrichment
from workers.settings import Workshop

Verdict = Literal["enriched", "again", "given_up", "changed"]

log = structlog.get_logger()

LONGEST_SLEEP = 1.0  # seconds without a look at what waits, should a notification be missed
LOOK_SECONDS = 0.05  # without a look at what waits, while something is being asked
LONGEST_PAUSE = 10.0
MARGIN_SECONDS = 5.0


@dataclass(slots=True)
class Answers:
    """What the enrichers said of one alert. `again_in`: in how many seconds it is worth asking again; None: never."""

    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    again_in: float | None = None
    seconds: float = 0.0


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
                if self.in_flight:
                    wait(self.in_flight, timeout=min(LOOK_SECONDS, deadline.left()), return_when=FIRST_COMPLETED)
                    verdicts.update(self.record_finished(database))
                else:
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


def ask_remotes(remotes: Sequence[Remote], waiting: Waiting, settings: RemoteEnrichment) -> Answers:
    """Ask every remote enricher about one alert, one after the other. Never raises."""
    began = time.monotonic()
    answers = Answers()
    pause = min(settings.retry_after * 2 ** (waiting.attempts - 1), LONGEST_PAUSE)
    pause *= 1 + random.random() / 4  # noqa: S311 - spreads load, guards nothing
    for remote in remotes:
        try:
            answers.results[remote.name] = remote.answer(waiting.alert)
        except Unavailable as error:
            answers.failed[remote.name] = str(error)
            answers.again_in = max(pause, remote.circuit.seconds_closed(), answers.again_in or 0.0)
        except Refused as error:
            answers.failed[remote.name] = str(error)
    answers.seconds = time.monotonic() - began
    return answers


def record_answers(database: Database, waiting: Waiting, answers: Answers) -> Verdict:
    """Write what the enrichers said: the alert is let go, or they are asked again while there is time."""
    verdict: Verdict
    if answers.again_in is not None and answers.again_in < waiting.left - answers.seconds:
        postpone(database, waiting, answers.again_in)
        verdict = "again"
    elif finish(database, waiting, answers.results, list(answers.failed)):
        verdict = "given_up" if answers.failed else "enriched"
    else:
        verdict = "changed"
    count_enrichment(verdict, answers.failed, answers.seconds)
    log.info(
        "alert_enriched",
        alert_id=waiting.alert.id,
        verdict=verdict,
        attempt=waiting.attempts,
        answered=list(answers.results),
        failed=answers.failed,
        ms=round(answers.seconds * 1000, 1),
    )
    return verdict


def rest(database: Database, deadline: Deadline) -> None:
    """Sleep until an alert is announced or falls due, a second at most."""
    due_in = seconds_until_waiting(database)
    longest = min(LONGEST_SLEEP, deadline.left())
    timeout = longest if due_in is None else min(longest, due_in)
    if timeout > 0:
        for _notification in database.notifies(timeout=timeout, stop_after=1):
            pass
