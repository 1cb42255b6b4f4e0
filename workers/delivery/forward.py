"""Forward: lease what is due, send it over many slow sockets at once, record how it went.

One loop keeps up to `concurrency` deliveries in flight. A slow receiver holds its own thread, never the loop: whatever
finishes is recorded, and its place is leased out again. Nor does it hold the end of a run: what is still in flight then
is recorded by the next one.
"""

import os
import select
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread

import psycopg
import structlog

from schemas.configuration import Forwarding
from workers.connections import Database, connect_database
from workers.deadline import STOPPING, Deadline
from workers.delivery.circuit import Turn
from workers.delivery.contact import add_contacts
from workers.delivery.guard import Resolve, open_pools
from workers.delivery.lease import Attempt, Item, lease_due, now, record_attempts, seconds_until_due
from workers.delivery.policy import Answer, decide_outcome
from workers.delivery.send import Sender, name_error
from workers.intake.announce import CHANNEL
from workers.settings import Workshop

log = structlog.get_logger()

LONGEST_SLEEP = 1.0  # seconds without a look at the outbox, should a notification be missed
SHORTEST_SLEEP = 0.05  # seconds before another look, when what is due cannot be leased now
SLOW = 0.2  # seconds after which a delivery is not waited for
GATHER = 0.02  # seconds that finished deliveries are gathered for, to be recorded together


class Forwarder:
    """The deliveries of one run after another: connections to receivers stay open from run to run."""

    def __init__(self, workshop: Workshop, resolve: Resolve | None = None) -> None:
        self.workshop = workshop
        self.settings = workshop.configuration.forwarding
        self.pools = open_pools(self.settings, resolve)
        self.sender = Sender(self.pools, workshop.keyring, self.settings)
        self.threads: list[Thread] = []
        self.leased: SimpleQueue[Item | None] = SimpleQueue()
        self.in_flight: dict[tuple[str, str], float] = {}  # (item, lease) -> since when
        self.enough = 1  # finished deliveries, to wake the loop for
        self.finished: deque[tuple[Item, Answer]] = deque()
        self.announced = False
        self.sleeping = False
        self.woken, self.wakes = os.pipe()
        os.set_blocking(self.woken, False)
        os.set_blocking(self.wakes, False)

    def run(self, seconds: float) -> Counter[str]:
        """Deliver what is due, for about `seconds`. Return the attempts by verdict. Raises what the database raises."""
        deadline = Deadline(seconds)
        verdicts: Counter[str] = Counter()
        with connect_database(self.workshop.database_url, "forward") as database:
            database.add_notify_handler(self.note_announced)
            # What a crash of the server takes back is delivered again, under the same webhook-id, as it is when a
            # forwarder dies. So nobody waits for the disk here.
            database.execute("SET synchronous_commit = off")
            database.execute(f"LISTEN {CHANNEL}")
            while deadline.left() > 0:
                self.announced = False
                verdicts.update(self.record_finished(database))
                self.lease_more(database)
                self.rest(database, deadline)
            self.sleeping = STOPPING.is_set()
            while self.in_flight and STOPPING.is_set():
                self.announced = False
                if not self.finished:
                    self.wait(database, LONGEST_SLEEP)
                verdicts.update(self.record_finished(database))
        return verdicts

    def finish(self) -> Counter[str]:
        """Wait for what is in flight, record it and let go of everything."""
        verdicts: Counter[str] = Counter()
        self.stop_threads()
        if self.finished:
            with connect_database(self.workshop.database_url, "forward") as database:
                verdicts = self.record_finished(database)
        self.close()
        return verdicts

    def close(self) -> None:
        """Let go of connections and threads."""
        self.stop_threads()
        self.pools.clear()
        os.close(self.woken)
        os.close(self.wakes)

    def stop_threads(self) -> None:
        """Let every thread end its delivery, and end."""
        for _ in self.threads:
            self.leased.put(None)
        for thread in self.threads:
            thread.join()
        self.threads.clear()

    def lease_more(self, database: Database) -> None:
        """Lease as much as there are places for, and hand it to the threads."""
        free = self.settings.concurrency - len(self.in_flight)
        if free <= 0:
            return
        items = lease_due(database, free, self.settings)
        items = add_contacts(database, items, self.workshop.configuration, self.workshop.keyring)
        for item in items:
            self.in_flight[item.outbox_id, item.lease] = time.monotonic()
            self.leased.put(item)
        for _ in range(len(self.threads), len(self.in_flight)):
            # A process that ends does not wait for a receiver: what was not recorded is due again.
            thread = Thread(target=self.make_deliveries, name="deliver", daemon=True)
            thread.start()
            self.threads.append(thread)

    def make_deliveries(self) -> None:
        """Be one of the threads: make one delivery after the other, until there is a None among them."""
        while (item := self.leased.get()) is not None:
            self.deliver(item)

    def deliver(self, item: Item) -> None:
        """Make one attempt and leave its answer for the loop: whatever happens there is one."""
        try:
            answer = self.sender.deliver(item)
        except Exception as error:  # noqa: BLE001 - an item without an answer would hold its place for ever
            # Without the text of the error, which may quote the URL.
            log.error("delivery_broke", webhook_id=item.outbox_id, error=name_error(error))  # noqa: TRY400
            answer = Answer(None, 0.0, name_error(error))
        self.finished.append((item, answer))
        if self.sleeping or len(self.finished) >= self.enough:
            with suppress(BlockingIOError):  # a full pipe wakes as well
                os.write(self.wakes, b"!")

    def record_finished(self, database: Database) -> Counter[str]:
        """Record what has finished. It stays in the list until that is committed."""
        done = list(self.finished)
        if not done:
            return Counter()
        at = now()
        attempts = [
            Attempt(
                item, answer, decide_outcome(item.attempts - item.spared, answer, self.settings, probe=item.probe), at
            )
            for item, answer in done
        ]
        turns = record_each(database, attempts, self.settings)
        for item, _answer in done:
            self.finished.popleft()
            self.in_flight.pop((item.outbox_id, item.lease), None)
        log_attempts(attempts, turns)
        return Counter(attempt.outcome.verdict for attempt in attempts)

    def rest(self, database: Database, deadline: Deadline) -> None:
        """Sleep until deliveries finish, or something is announced or falls due; a second at most.

        One that is alone is recorded at once, a crowd together: half of those that are not slow, or what finishes in
        GATHER seconds.
        """
        quick = time.monotonic() - SLOW
        self.enough = max(1, sum(since > quick for since in self.in_flight.values()) // 2)
        if self.in_flight and (self.wait(database, GATHER) or self.finished):
            return
        self.sleeping = True
        try:
            due_in = seconds_until_due(database)
            longest = min(LONGEST_SLEEP, deadline.left())
            if not self.finished:
                self.wait(database, longest if due_in is None else min(longest, max(due_in, SHORTEST_SLEEP)))
        finally:
            self.sleeping = False

    def wait(self, database: Database, seconds: float) -> bool:
        """Sleep for `seconds`, or until a delivery finishes or something is announced. Return whether that was so."""
        if self.announced:
            return True
        ready, _, _ = select.select([database.fileno(), self.woken], [], [], max(seconds, 0.0))
        if self.woken in ready:
            os.read(self.woken, 65536)
        if database.fileno() in ready:
            database.execute("")  # takes in what has come, for note_announced
        return bool(ready)

    def note_announced(self, _notification: object) -> None:
        """Remember that something was announced. Called while the connection is used."""
        self.announced = True


def forward(workshop: Workshop, seconds: float, resolve: Resolve | None = None) -> Counter[str]:
    """Deliver what is due, for about `seconds`, then wait for what is still in flight. Return attempts by verdict."""
    forwarder = Forwarder(workshop, resolve)
    return forwarder.run(seconds) + forwarder.finish()


def record_each(database: Database, attempts: Sequence[Attempt], settings: Forwarding) -> list[Turn]:
    """Record attempts together; if the database refuses that for what they hold, one by one without the culprit.

    It would be refused again for ever; left alone, its item is due again when its lease ends.
    """
    try:
        return record_attempts(database, attempts, settings)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        if len(attempts) == 1:
            log.error(  # noqa: TRY400 - without the text of the error, which may quote an answer
                "attempt_not_recorded", webhook_id=attempts[0].item.outbox_id, error=type(error).__name__
            )
            return []
    return [turn for attempt in attempts for turn in record_each(database, [attempt], settings)]


def log_attempts(attempts: Sequence[Attempt], turns: Sequence[Turn]) -> None:
    """One wide line per delivery: ids and numbers, never a URL, a header or a body. And one per turn."""
    for attempt in attempts:
        item, answer, outcome = attempt.item, attempt.answer, attempt.outcome
        log.info(
            "delivery_attempted",
            webhook_id=item.outbox_id,
            alert_id=item.alert_id,
            subscription=item.subscription,
            alert_event=item.event,
            attempt=item.attempts,
            probe=item.probe,
            verdict=outcome.verdict,
            status=answer.status,
            error=answer.error,
            ms=round(answer.milliseconds, 1),
            next_in=None if outcome.wait is None else round(outcome.wait, 1),
        )
    for turn in turns:
        level = log.info if turn.what == "resumed" else log.error
        level(f"subscription_{turn.what}", subscription=turn.subscription, why=turn.why)
