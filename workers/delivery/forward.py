"""Forward: lease what is due, send it over many slow sockets at once, record how it went.

One loop keeps up to `concurrency` deliveries in flight. A slow receiver holds its own thread, never the loop: whatever
finishes is recorded, and its place is leased out again. Nor does it hold the end of a run: what is still in flight then
is recorded by the next one.
"""

from collections import Counter

from workers.database.connections import Database
from workers.deadline import STOPPING, Deadline
from workers.delivery.circuit import Run, Turn
from workers.delivery.clock import SharedClock
from workers.delivery.contact import add_contacts, gets_contact
from workers.delivery.give_back import given_back_on_failure
from workers.delivery.lease import lease_due
from workers.delivery.line import Line
from workers.delivery.pauses import LONGEST_SLEEP, SHORTEST_SLEEP, Pauses
from workers.delivery.record import Attempt, record_each
from workers.delivery.report import report_attempts
from workers.delivery.send import Sender
from workers.delivery.threads import Threads
from workers.outgoing.guard import Resolve, resolve_name
from workers.outgoing.transport import GuardedAdapter
from workers.settings import Workshop


class Forwarder:
    """The deliveries of one run after another: connections to receivers stay open from run to run.

    uncounted  by subscription id, how attempts went that have yet to be counted: somebody held its row
    """

    def __init__(self, workshop: Workshop, resolve: Resolve = resolve_name) -> None:
        self.workshop = workshop
        self.settings = workshop.configuration.forwarding
        self.adapter = GuardedAdapter(self.settings, resolve)
        self.clock = SharedClock()
        self.line = Line(workshop.database_url)
        self.threads = Threads(Sender(self.adapter, workshop.keyring, self.settings, self.clock))
        self.pauses = Pauses(self.threads, self.line)
        self.uncounted: dict[str, Run] = {}

    def run(self, seconds: float) -> Counter[str]:
        """Deliver what is due, for about `seconds`. Return the attempts by verdict. Raises what the database raises."""
        deadline = Deadline(seconds)
        verdicts: Counter[str] = Counter()
        with self.line.listen() as database:
            self.clock.set_by(database)
            while deadline.left() > 0:
                verdicts.update(self.take_turn(database))
                self.pauses.rest(database, deadline, SHORTEST_SLEEP if self.uncounted else LONGEST_SLEEP)
            self.threads.sleeping = STOPPING.is_set()
            while self.threads.in_flight and STOPPING.is_set():
                self.line.announced = False
                if not self.threads.finished:
                    self.pauses.wait(LONGEST_SLEEP)
                verdicts.update(self.record_last(database))
        return verdicts

    def finish(self) -> Counter[str]:
        """Wait for what is in flight, record it and let go of everything."""
        self.threads.stop()
        verdicts = self.record_last(self.line.open()) if self.threads.finished or self.uncounted else Counter()
        self.close()
        return verdicts

    def close(self) -> None:
        """Let go of connections and threads."""
        self.threads.close()
        self.adapter.close()
        self.line.close()

    def take_turn(self, database: Database) -> Counter[str]:
        """Record what has finished, lease what is due, and only then tell of it: no receiver waits for a log line."""
        self.pauses.begin_turn()
        attempts, turns = self.record_finished(database)
        self.pauses.had = len(attempts)
        try:
            if not self.pauses.finds_nothing_due(database):
                self.pauses.had += self.lease_more(database)
        finally:
            report_attempts(attempts, turns)
        return Counter(attempt.outcome.verdict for attempt in attempts)

    def lease_more(self, database: Database) -> int:
        """Lease as much as there are places for, and hand it to the threads: first what waits for no contact."""
        free = self.settings.concurrency - len(self.threads.in_flight)
        if free <= 0:
            return 0
        items = lease_due(database, free, self.settings)
        self.threads.hand_out([item for item in items if not gets_contact(item)])
        personal = [item for item in items if gets_contact(item)]
        with given_back_on_failure(database, personal):
            complete = add_contacts(database, personal, self.workshop.configuration, self.workshop.keyring)
        self.threads.hand_out(complete)
        return len(items)

    def record_finished(self, database: Database) -> tuple[list[Attempt], list[Turn]]:
        """Record what has finished. It stays with the threads until that is committed."""
        done = list(self.threads.finished)
        if not done and not self.uncounted:
            return [], []
        at = self.clock.now()
        attempts = [Attempt.judge(item, answer, self.settings, at) for item, answer in done]
        turns = record_each(database, attempts, self.settings, self.uncounted)
        self.threads.let_go(done)
        return attempts, turns

    def record_last(self, database: Database) -> Counter[str]:
        """Record what has finished, and lease nothing more."""
        attempts, turns = self.record_finished(database)
        report_attempts(attempts, turns)
        return Counter(attempt.outcome.verdict for attempt in attempts)
