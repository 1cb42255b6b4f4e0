"""Threads deliver what they are handed, as many of them as the system has."""

import threading
import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from tests.unit.test_sender import ITEM
from workers.delivery.lease import Item
from workers.delivery.policy import Answer
from workers.delivery.threads import Threads


class Slow:
    """What delivers, in a while."""

    def deliver(self, _item: Item, _trace: object) -> Answer:
        """Take a hundredth of a second."""
        time.sleep(0.01)
        return Answer(204, 10.0)


def test_no_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has only three, these deliver everything; where it has none, it is asked again."""
    start = threading.Thread.start
    left = 3

    def start_if_any(thread: threading.Thread) -> None:
        nonlocal left
        if thread.name == "deliver":
            left -= 1
            if left < 0:
                raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_if_any)
    sender: Any = Slow()
    threads = Threads(sender)
    items = [replace(ITEM, outbox_id=str(uuid4())) for _ in range(20)]
    threads.hand_out(items)
    until = time.monotonic() + 20
    while len(threads.finished) < 20 and time.monotonic() < until:
        time.sleep(0.01)
    assert {item.outbox_id for item, _answer in threads.finished} == {item.outbox_id for item in items}
    assert len(threads.threads) == 3
    threads.close()
    none = Threads(sender)
    none.hand_out(items[:1])
    assert not none.threads
    left = 1
    none.expect()  # as at every turn of the loop
    until = time.monotonic() + 20
    while not none.finished and time.monotonic() < until:
        time.sleep(0.01)
    assert [item for item, _answer in none.finished] == items[:1]
    none.close()
