"""Seats: how many of those that are leased are being delivered at once.

Python runs one thread at a time. Threads that deliver to a quick receiver only take it from each other, at every word
to a socket, and from one processor to another: a third of what a delivery costs. But who waits for a receiver needs no
Python. So there is one seat, in which one delivery is made after the other, and another one when a few of them have
waited for longer than those in the other seats take Python. One that is not over in PATIENCE seconds goes on without
its seat, which is given to the next: a slow receiver holds up nobody.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from threading import Event, Thread

import structlog

from workers.delivery.lease import Item

log = structlog.get_logger()

PATIENCE = 0.003  # seconds
MOSTLY = 2  # times as long a delivery has to wait as it works, for more of them to be worth while
IN_A_ROW = 3  # deliveries that do: one alone may have waited for the loop, which has Python now and then
FEW_AGAIN = 0.1  # seconds after which there is one seat again: where many deliver at once, all of them wait


class Seats:
    """The seats, and who waits for one.

    The loop, the threads that deliver and the one that watches call this at the same time: what two of them could take
    one of them gets, by `dict.pop` and `deque.popleft`. Should two give away the last seat there is one more, for once.

    begin   gives an item to a thread that has nothing to do
    seated  (item, lease) -> since when, by `time.monotonic`
    """

    def __init__(self, begin: Callable[[Item], None]) -> None:
        self.begin = begin
        self.seats = 1
        self.few_again_at = 0.0
        self.waited = 0
        self.waiting: deque[Item] = deque()
        self.seated: dict[tuple[str, str], float] = {}
        self.crowded = Event()
        self.closed = False
        self.watcher = Thread(target=self.watch, name="seats", daemon=True)

    def take_in(self, items: Iterable[Item]) -> None:
        """Have these items delivered, in their order."""
        self.take_back(time.monotonic())
        self.waiting.extend(items)
        self.fill()
        if self.waiting:
            self.crowded.set()
            if self.watcher.ident is None:
                self.start_watching()

    def start_watching(self) -> None:
        """Start the thread that watches; without one, whoever waits begins at once."""
        try:
            self.watcher.start()
        except RuntimeError:  # the system has no more of them
            self.watcher = Thread(target=self.watch, name="seats", daemon=True)
            self.begin_all()

    def next_after(self, item: Item, seconds: float, busy: float) -> Item | None:
        """Return which item takes the seat of one that is over. None: that had lost its seat, or none waits.

        seconds  how long its delivery took
        busy     for how much of it the thread had a processor
        """
        self.waited = self.waited + 1 if seconds - busy > MOSTLY * busy * self.seats else 0
        if self.waited >= IN_A_ROW:
            self.seats, self.waited = self.seats + 1, 0
        return None if self.seated.pop((item.outbox_id, item.lease), None) is None else self.seat_next()

    def fill(self) -> None:
        """Give every free seat to one that waits."""
        while len(self.seated) < self.seats and (item := self.seat_next()) is not None:
            self.begin(item)

    def seat_next(self) -> Item | None:
        """Give a seat to the first that waits, if there is one."""
        try:
            item = self.waiting.popleft()
        except IndexError:
            return None
        self.seated[item.outbox_id, item.lease] = time.monotonic()
        return item

    def watch(self) -> None:
        """While any wait, look after the seats."""
        while self.crowded.wait() and not self.closed:
            time.sleep(PATIENCE)
            try:
                self.look(time.monotonic())
            except Exception:
                log.exception("seats_not_looked_after")  # once; who waits must not wait for ever
            if not self.waiting:
                self.crowded.clear()
                if self.waiting or self.closed:  # since that look
                    self.crowded.set()

    def look(self, now: float) -> None:
        """Take the seats of those that are slow, and give them away: twice as many, if all were."""
        slow = [seated for seated, since in list(self.seated.items()) if now - since >= PATIENCE]
        for seated in slow:
            self.seated.pop(seated, None)
        if not self.take_back(now) and len(slow) >= self.seats:
            self.seats *= 2
        self.fill()

    def take_back(self, now: float) -> bool:
        """Let there be one seat again, if it is time. Return whether it was."""
        if now < self.few_again_at:
            return False
        self.seats, self.few_again_at = 1, now + FEW_AGAIN
        return True

    def begin_all(self) -> None:
        """Let all that wait begin at once."""
        while (item := self.seat_next()) is not None:
            self.begin(item)

    def close(self) -> None:
        """Let all that wait begin at once, and end."""
        self.closed = True
        self.crowded.set()
        if self.watcher.ident is not None:
            self.watcher.join()
        self.begin_all()
