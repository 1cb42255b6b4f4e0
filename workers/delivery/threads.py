"""Threads: many slow sockets at once. Each thread makes one delivery after the other; one loop leads them all."""

import os
import select
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread

import structlog

from workers.delivery.lease import Item
from workers.delivery.line import Line
from workers.delivery.policy import Answer
from workers.delivery.seats import Seats
from workers.delivery.send import Sender, name_error
from workers.delivery.trace import trace_delivery

log = structlog.get_logger()

SLOW = 0.2  # seconds after which a delivery is not waited for


class Threads:
    """Threads that deliver, and what they have in hand.

    The leading loop calls all of it, the threads and the watcher of the seats `begin`, and so `start_thread`, too.

    in_flight  (item, lease) -> since when, by `time.monotonic`; until its answer is recorded
    under_way  those of them that have a thread, or are to be given one
    finished   what has an answer, in the order in which it came
    enough     finished deliveries to wake the loop for
    """

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.threads: list[Thread] = []
        self.seats = Seats(self.begin)
        self.begun: SimpleQueue[Item | None] = SimpleQueue()
        self.under_way: set[tuple[str, str]] = set()
        self.in_flight: dict[tuple[str, str], float] = {}
        self.finished: deque[tuple[Item, Answer]] = deque()
        self.enough = 1
        self.sleeping = False
        self.woken, self.wakes = os.pipe()
        os.set_blocking(self.woken, False)
        os.set_blocking(self.wakes, False)

    def hand_out(self, items: Sequence[Item]) -> None:
        """Have these items delivered."""
        now = time.monotonic()
        self.in_flight.update(((item.outbox_id, item.lease), now) for item in items)
        self.seats.take_in(items)

    def begin(self, item: Item) -> None:
        """Give an item to a thread that has nothing to do, or will soon."""
        self.under_way.add((item.outbox_id, item.lease))
        self.begun.put(item)
        if len(self.threads) < len(self.under_way):
            self.start_thread()

    def start_thread(self) -> None:
        """Start a thread, if the system has any. No process waits for it when it ends: what is not recorded is due."""
        thread = Thread(target=self.make_deliveries, name="deliver", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            log.warning("no_more_threads", deliveries_at_once=len(self.threads))
        else:
            self.threads.append(thread)

    def make_deliveries(self) -> None:
        """Be one of the threads: make one delivery after the other, until there is a None among them."""
        while (item := self.begun.get()) is not None:
            following: Item | None = item
            while following is not None:
                following = self.deliver_one(following)

    def deliver_one(self, item: Item) -> Item | None:
        """Deliver an item, and return the one that this thread has to deliver next, if there is one."""
        began, busy_before = time.perf_counter(), time.thread_time()
        answer = make_delivery(self.sender, item)
        busy, seconds = time.thread_time() - busy_before, time.perf_counter() - began
        self.finished.append((item, answer))
        if self.sleeping or len(self.finished) >= self.enough:
            with suppress(BlockingIOError):  # a full pipe wakes as well
                os.write(self.wakes, b"!")
        following = self.seats.next_after(item, seconds, busy)
        if following is not None:
            self.under_way.add((following.outbox_id, following.lease))
        self.under_way.discard((item.outbox_id, item.lease))
        return following

    def let_go(self, done: Sequence[tuple[Item, Answer]]) -> None:
        """Forget what has been recorded: the first of those that finished."""
        for item, _answer in done:
            self.finished.popleft()
            self.in_flight.pop((item.outbox_id, item.lease), None)

    def expect(self) -> None:
        """Set how many have to finish until the loop is woken: half of those that are not slow.

        Whoever could be given no thread, since the system had none, gets one now if it has.
        """
        if self.under_way and not self.threads:
            self.start_thread()
        quick = time.monotonic() - SLOW
        self.enough = max(1, sum(since > quick for since in self.in_flight.values()) // 2)

    def wait(self, line: Line, seconds: float) -> bool:
        """Sleep until enough have finished or the database says something, or `seconds` are over. Return whether so."""
        ready = select.poll()  # not select.select, which knows no descriptor above 1023
        ready.register(line, select.POLLIN)
        ready.register(self.woken, select.POLLIN)
        found = {descriptor for descriptor, _event in ready.poll(max(seconds, 0.0) * 1000)}
        if self.woken in found:
            os.read(self.woken, 65536)
        if found - {self.woken}:
            line.take_in()
        return bool(found)

    def stop(self) -> None:
        """Let every thread end its delivery, and end."""
        self.seats.close()
        for _ in self.threads:
            self.begun.put(None)
        for thread in self.threads:
            thread.join()
        self.threads.clear()

    def close(self) -> None:
        """Let go of the threads and of what wakes the loop."""
        self.stop()
        os.close(self.woken)
        os.close(self.wakes)


def make_delivery(sender: Sender, item: Item) -> Answer:
    """Make one attempt. Never raises: an item without an answer would hold its place for ever."""
    try:
        return trace_delivery(sender.deliver, item)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this delivery's alone
        # Without the text of the error, which may quote the URL.
        log.error("delivery_broke", webhook_id=item.outbox_id, error=name_error(error))  # noqa: TRY400 - see above
        return Answer(None, 0.0, name_error(error))
