"""Group commit: pushes that wait at the same time share one round trip to the journal and one fsync.

A push that comes alone is appended at once and pays no waiting time. Those that come while an append is under way wait
for its end; then the first of them appends for all. So there is one append at a time in a worker process, and it grows
with the load. While there is load an append first lets all others come until the process has nothing else to do, which
mostly it has at once: a proof of fsync costs the processor more than a push does.

Nothing is repeated: what became of an append that was broken off nobody knows, so all its pushes are refused, and their
senders repeat them.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence

import gevent
from gevent.event import Event

from schemas.journal.append import JournalUnavailable, Outcome
from schemas.journal.envelope import Fields

# What one append may hold at most. A single entry may be larger than BATCH_BYTES; then it goes alone.
BATCH_ENTRIES = 128
BATCH_BYTES = 4 * 1024 * 1024
GATHER_SECONDS = 0.015  # at most: with a handshake of a millisecond for each push some five come together


class Ticket:
    """One push that waits. `outcome` is None until its append has ended; woken without one, it is its turn to lead."""

    __slots__ = ("fields", "outcome", "since", "size", "woken")

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self.size = sum(map(len, fields.values()))
        self.since = time.monotonic()
        self.woken: Event | None = None
        self.outcome: Outcome | None = None

    def end(self, outcome: Outcome) -> None:
        """Give the push its outcome, and wake it when it waits."""
        self.outcome = outcome
        self.wake()

    def wake(self) -> None:
        """Let the push go on."""
        if self.woken is not None:
            self.woken.set()


class GroupCommit:
    """Appends entries for the greenlets of one worker process.

    `append` makes a batch durable: an outcome for each entry in order, or JournalUnavailable raised for all of them.
    `patience` in seconds: a push that waited longer for its turn is refused instead.
    """

    def __init__(self, append: Callable[[Sequence[Fields]], Sequence[Outcome]], patience: float) -> None:
        self._append = append
        self._patience = patience
        self._waiting: deque[Ticket] = deque()
        self._leader: Ticket | None = None
        self._crowded = False

    def append(self, fields: Fields) -> str:
        """Append one entry and return its id once it is durable. Raises JournalUnavailable: then promise nothing."""
        ticket = Ticket(fields)
        self._waiting.append(ticket)
        if self._leader is None:
            self._leader = ticket
        else:
            self._wait(ticket)
        if self._leader is ticket:
            self._lead(ticket)
        if ticket.outcome is None:
            raise JournalUnavailable("the append was broken off")
        if isinstance(ticket.outcome, JournalUnavailable):
            raise ticket.outcome
        return ticket.outcome

    def _wait(self, ticket: Ticket) -> None:
        """Wait for the outcome, or for the turn to lead. A greenlet that is killed meanwhile holds up no other."""
        ticket.woken = Event()
        try:
            ticket.woken.wait()
        except BaseException:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
            if self._leader is ticket:
                self._hand_over()
            raise

    def _lead(self, leader: Ticket) -> None:
        """Append for all that wait, tell each what became of it, and let the next one lead, whatever happens."""
        batch: list[Ticket] = []
        outcomes: Sequence[Outcome] = ()
        try:
            self._gather(leader)
            batch = self._take_batch()
            self._crowded = len(batch) > 1
            if batch:
                outcomes = self._append([ticket.fields for ticket in batch])
        except JournalUnavailable as error:
            outcomes = [type(error)(*error.args) for _ in batch]
        finally:
            for place, ticket in enumerate(batch):
                broken = place >= len(outcomes)
                ticket.end(JournalUnavailable("the append was broken off") if broken else outcomes[place])
            self._hand_over()

    def _gather(self, leader: Ticket) -> None:
        """When the last append was shared, let everything else come first that this process has to do at the moment."""
        if not self._crowded:
            return
        try:
            with gevent.Timeout(GATHER_SECONDS, exception=False):
                gevent.idle()
        except BaseException:
            self._waiting.remove(leader)
            raise

    def _take_batch(self) -> list[Ticket]:
        """Take what may go together, in the order of coming. Who has waited too long is refused."""
        batch: list[Ticket] = []
        size = 0
        overdue = time.monotonic() - self._patience
        while self._waiting and len(batch) < BATCH_ENTRIES:
            ticket = self._waiting[0]
            if ticket.since < overdue:
                self._waiting.popleft().end(JournalUnavailable("too many pushes wait for the journal"))
                continue
            if batch and size + ticket.size > BATCH_BYTES:
                break
            size += ticket.size
            batch.append(self._waiting.popleft())
        return batch

    def _hand_over(self) -> None:
        """Let the first of those that wait lead."""
        self._leader = self._waiting[0] if self._waiting else None
        if self._leader is not None:
            self._leader.wake()
