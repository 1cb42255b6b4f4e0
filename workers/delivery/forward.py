"""Forward: lease what is due, send it over many slow sockets at once, record how it went.

One loop keeps up to `concurrency` deliveries in flight. A slow receiver holds its own thread, never the loop: whatever
finishes is recorded, and its place is leased out again.
"""

from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial

import structlog

from schemas.configuration import Forwarding
from workers.connections import Database, connect_database
from workers.deadline import Deadline
from workers.delivery.guard import open_session
from workers.delivery.lease import Attempt, Item, lease_due, now, record_attempts, seconds_until_due
from workers.delivery.policy import Answer, judge_answer, next_wait
from workers.delivery.send import deliver_item
from workers.intake.announce import CHANNEL
from workers.settings import Workshop

log = structlog.get_logger()

LONGEST_SLEEP = 1.0  # seconds without a look at the outbox, should a notification be missed
GATHER = 0.02  # seconds that finished deliveries are gathered for, to be recorded together


def forward(workshop: Workshop, seconds: float) -> Counter[str]:
    """Deliver what is due, for about `seconds`, then wait for what is still in flight. Return attempts by verdict."""
    settings = workshop.configuration.forwarding
    deadline = Deadline(seconds)
    verdicts: Counter[str] = Counter()
    with (
        connect_database(workshop.database_url, "forward") as database,
        open_session(settings, settings.concurrency) as session,
        ThreadPoolExecutor(settings.concurrency, thread_name_prefix="deliver") as threads,
    ):
        database.execute(f"LISTEN {CHANNEL}")
        deliver = partial(deliver_item, session, keyring=workshop.keyring, settings=settings)
        in_flight: dict[Future[Answer], Item] = {}
        while in_flight or deadline.left() > 0:
            if deadline.left() > 0:
                free = settings.concurrency - len(in_flight)
                for item in lease_due(database, free, settings.lease) if free else []:
                    in_flight[threads.submit(deliver, item)] = item
            if in_flight:
                verdicts.update(record_finished(database, in_flight, settings))
            else:
                wait_for_due(database, deadline)
    return verdicts


def record_finished(database: Database, in_flight: dict[Future[Answer], Item], settings: Forwarding) -> Counter[str]:
    """Wait a moment for deliveries to finish, record those that did and take them out of `in_flight`."""
    wait(in_flight, timeout=GATHER, return_when=FIRST_COMPLETED)
    finished = [future for future in in_flight if future.done()]
    attempts = []
    for future in finished:
        item, answer = in_flight[future], future.result()
        verdict = judge_answer(answer.status)
        again = verdict in {"again", "pause"}
        attempts.append(
            Attempt(item, answer, verdict, next_wait(item.attempts, answer, settings) if again else None, now())
        )
    if attempts:
        record_attempts(database, attempts)
    for future, attempt in zip(finished, attempts, strict=True):
        del in_flight[future]
        log_attempt(attempt)
    return Counter(attempt.verdict for attempt in attempts)


def log_attempt(attempt: Attempt) -> None:
    """One wide line per delivery: ids and numbers, never a URL, a header or a body."""
    log.info(
        "delivery_attempted",
        webhook_id=attempt.item.outbox_id,
        alert_id=attempt.item.alert_id,
        subscription=attempt.item.subscription,
        alert_event=attempt.item.event,
        attempt=attempt.item.attempts,
        verdict=attempt.verdict,
        status=attempt.answer.status,
        error=attempt.answer.error,
        ms=round(attempt.answer.milliseconds, 1),
        next_in=None if attempt.wait is None else round(attempt.wait, 1),
    )


def wait_for_due(database: Database, deadline: Deadline) -> None:
    """Sleep until something is announced or falls due, a second at most."""
    due_in = seconds_until_due(database)
    longest = min(LONGEST_SLEEP, deadline.left())
    timeout = longest if due_in is None else min(longest, due_in)
    if timeout > 0:
        for _notification in database.notifies(timeout=timeout, stop_after=1):
            pass
