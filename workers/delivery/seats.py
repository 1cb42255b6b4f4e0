"""Seats: how many of those that are leased are being delivered at once.

Python runs one thread at a time. Threads that deliver to a quick receiver only take it from each other, at every word
to a socket, and from one processor to another: a third of what a delivery costs. But who waits for a receiver needs no
Python. So one delivery is made after the other, and one that is not over in PATIENCE seconds goes on without its seat,
which is given to the next: a slow receiver holds up nobody. Where all are slow there are soon enough seats for all.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from threading import Event, Thread

from workers.delivery.lease import Item

PATIENCE = 0.003  # seconds
FEW_AGAIN = 0.05  # seconds after which there is one seat again: when many deliver at once, all of them are slow


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
        self.waiting: deque[Item] = deque()
        self.seated: dict[tuple[str, str], float] = {}
        self.crowded = Event()
        self.closed = False
        self.watcher = Thread(target=self.watch, name="seats", daemon=True)

    def take_in(self, items: Iterable[Item]) -> None:
        """Have these items delivered, in their order."""
        self.waiting.extend(items)
        self.fill()
        if self.waiting:
            self.crowded.set()
            if self.watcher.ident is None:
                self.watcher.start()

    def next_after(self, item: Item) -> Item | None:
        """Return which item takes the seat of one that is over. None: that had lost its seat, or none waits."""
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
            self.look(time.monotonic())
            if not self.waiting:
                self.crowded.clear()
                if self.waiting or self.closed:  # since that look
                    self.crowded.set()

    def look(self, now: float) -> None:
        """Take the seats of those that are slow, and give them away: twice as many, if all were."""
        slow = [seated for seated, since in list(self.seated.items()) if now - since >= PATIENCE]
        for seated in slow:
            self.seated.pop(seated, None)
        if now >= self.few_again_at:
            self.seats, self.few_again_at = 1, now + FEW_AGAIN
        elif len(slow) >= self.seats:
            self.seats *= 2
        self.fill()

    def close(self) -> None:
        """Let all that wait begin at once, and end."""
        self.closed = True
        self.crowded.set()
        if self.watcher.ident is not None:
            self.watcher.join()
        while (item := self.seat_next()) is not None:
            self.begin(item)
