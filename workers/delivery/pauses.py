"""Pauses: when a forwarder takes its next turn, to record what has finished and to lease what is due.

One delivery that is alone is recorded at once, a crowd together: half of those that are not slow, or what finishes in
GATHER seconds. Where several come at a time and nothing is left due, turns begin GATHER seconds apart: a turn costs as
much as a few deliveries, and no receiver minds.
"""

import time

from workers.database.connections import Database
from workers.deadline import Deadline
from workers.delivery.lease import Ahead, look_ahead
from workers.delivery.line import Line
from workers.delivery.threads import Threads

LONGEST_SLEEP = 1.0  # seconds without a look at the outbox, should a notification be missed
SHORTEST_SLEEP = 0.05  # seconds before another look, when what is due cannot be leased now
FEW = 4  # deliveries
MANY = 24
GATHER = 0.02  # seconds


class Pauses:
    """The pauses of one loop.

    began  when the last turn began, by `time.monotonic`
    had    how many deliveries it recorded and leased
    ahead  what it saw of the outbox, if it looked and left it at that
    """

    def __init__(self, threads: Threads, line: Line) -> None:
        self.threads = threads
        self.line = line
        self.began = 0.0
        self.had = 0
        self.ahead: Ahead | None = None

    def begin_turn(self) -> None:
        """End a pause: what is announced from now on is for the turn after this one."""
        self.began = time.monotonic()
        self.had = 0
        self.ahead = None
        self.line.announced = False

    def finds_nothing_due(self, database: Database) -> bool:
        """Look, where that is cheaper than to lease: a few that came by themselves mostly leave nothing behind."""
        return 0 < self.had <= FEW and not self.threads.in_flight and self.left_nothing_due(database)

    def left_nothing_due(self, database: Database) -> bool:
        """Look at the outbox, and say whether nothing could be leased."""
        ahead = look_ahead(database)
        self.ahead = None if ahead.ready else ahead
        return not ahead.ready

    def rest(self, database: Database, deadline: Deadline, longest: float = LONGEST_SLEEP) -> None:
        """Gather; then sleep until deliveries finish, something is announced or falls due, at most so many seconds."""
        threads = self.threads
        threads.expect()
        if FEW < self.had < MANY and self.left_nothing_due(database):
            self.gather()
            if self.line.announced or threads.finished:
                return
            threads.expect()
        if threads.in_flight and (self.wait(GATHER) or threads.finished):
            return
        threads.sleeping = True
        try:
            due_in = (self.ahead or look_ahead(database)).due_in
            if not threads.finished:
                longest = min(longest, deadline.left())
                self.wait(longest if due_in is None else min(longest, max(due_in, SHORTEST_SLEEP)))
        finally:
            threads.sleeping = False

    def gather(self) -> None:
        """Sleep until GATHER seconds after the turn's begin, whatever is announced, or until many have finished."""
        self.threads.enough = MANY
        while len(self.threads.finished) < MANY and (left := self.began + GATHER - time.monotonic()) > 0:
            self.threads.wait(self.line, left)

    def wait(self, seconds: float) -> bool:
        """Sleep until a delivery finishes or something is announced. Return whether that was so."""
        return self.line.announced or self.threads.wait(self.line, seconds)
