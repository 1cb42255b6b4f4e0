"""Deliveries take seats: one after the other where receivers are quick, all at once where they are slow."""

import threading
import time
from dataclasses import replace
from uuid import uuid4

import pytest

from tests.unit.test_sender import ITEM
from workers.delivery import seats
from workers.delivery.lease import Item
from workers.delivery.seats import Seats


@pytest.fixture
def begun() -> list[Item]:
    """What has been given to a thread that had nothing to do."""
    return []


@pytest.fixture
def row(begun: list[Item], monkeypatch: pytest.MonkeyPatch) -> Seats:
    """Seats that nobody watches: the test says when they are looked at. There has just been one again."""
    monkeypatch.setattr(Seats, "watch", lambda _self: None)
    own = Seats(begun.append)
    own.few_again_at = time.monotonic() + 1000
    return own


def items(count: int) -> list[Item]:
    """Return so many items."""
    return [replace(ITEM, outbox_id=str(uuid4())) for _ in range(count)]


def test_quick_ones_come_one_after_the_other(row: Seats, begun: list[Item]) -> None:
    """Each that is over is followed by the next in its thread, in their order; the last one leaves the seat free."""
    first, second, third = items(3)
    row.take_in([first, second])
    row.look(0.0)
    assert begun == [first]
    assert row.next_after(first, 0.001, 0.001) == second
    row.take_in([third])
    assert row.next_after(second, 0.001, 0.001) == third
    assert row.next_after(third, 0.001, 0.001) is None
    assert begun == [first]
    (fourth,) = items(1)
    row.take_in([fourth])
    assert begun == [first, fourth]


def test_a_slow_one_gives_up_its_seat(row: Seats, begun: list[Item]) -> None:
    """The next one begins meanwhile, in another thread; the slow one's own thread takes none when it is over."""
    slow, second, third = items(3)
    row.take_in([slow, second, third])
    row.seats = 2
    row.look(0.0)
    assert begun == [slow, second]
    row.seated[second.outbox_id, second.lease] += 1000  # it has only begun
    row.look(time.monotonic() + seats.PATIENCE)
    assert begun == [slow, second, third]
    assert row.seats == 2
    assert row.next_after(slow, 0.001, 0.001) is None


def test_where_all_are_slow_all_begin(row: Seats, begun: list[Item]) -> None:
    """Sixty-four of them are under way after six looks, and then it begins with one seat again."""
    row.take_in(items(64))
    counts = []
    for _ in range(6):
        row.look(time.monotonic() + 500)
        counts.append(len(begun))
    assert counts == [3, 7, 15, 31, 63, 64]
    row.look(time.monotonic() + 1000)
    assert row.seats == 1


def test_as_many_as_the_waiting_makes_room_for(row: Seats, begun: list[Item]) -> None:
    """Where most of a delivery is waiting there are more seats, until all of Python is used; and then one again."""
    several = items(10)
    row.take_in(several)
    for seconds in (0.0031, 0.0031, 0.001, 0.0031, 0.0031):  # now and then one waits in any case
        row.next_after(several[0], seconds, 0.001)
        assert row.seats == 1
    row.next_after(several[0], 0.0031, 0.001)
    assert row.seats == 2
    for _ in range(3):
        row.next_after(several[0], 0.0049, 0.001)
    assert row.seats == 2  # two that take turns wait as long
    for _ in range(3):
        row.next_after(several[0], 0.0051, 0.001)
    assert row.seats == 3
    row.few_again_at = 0.0
    row.take_in([])
    assert row.seats == 1
    assert begun == several[:1]


def test_nobody_to_watch(row: Seats, begun: list[Item], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no thread for it, all begin at once, and who comes later as well."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    several = items(6)
    row.take_in(several[:3])
    row.take_in(several[3:])
    assert begun == several


def test_a_look_that_fails_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watcher goes on."""
    begun: list[Item] = []
    failures = [RuntimeError("once")]
    own = Seats(begun.append)

    def look(_self: Seats, now: float) -> None:
        if failures:
            raise failures.pop()
        look_really(own, now)

    look_really = Seats.look
    monkeypatch.setattr(Seats, "look", look)
    own.take_in(items(5))
    until = time.monotonic() + 10
    while own.waiting and time.monotonic() < until:
        time.sleep(0.005)
    assert len(begun) == 5
    own.close()


def test_who_waits_when_it_ends_begins_at_once(row: Seats, begun: list[Item]) -> None:
    """None that was taken in is left behind."""
    several = items(5)
    row.take_in(several)
    row.close()
    assert begun == several


def test_seats_that_are_watched() -> None:
    """What never ends is under way soon, and what comes later as well; nothing is begun twice."""
    begun: list[Item] = []
    watched = Seats(begun.append)
    several = items(40)
    for some in (several[:20], several[20:]):
        watched.take_in(some)
        until = time.monotonic() + 10
        while watched.waiting and time.monotonic() < until:
            time.sleep(0.005)
    assert {item.outbox_id for item in begun} == {item.outbox_id for item in several}
    assert len(begun) == 40
    watched.close()


def test_ends_at_any_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it is just found that none waits any more."""
    monkeypatch.setattr(seats, "PATIENCE", 0.0001)
    for moment in range(200):
        own = Seats(lambda _item: None)
        own.take_in(items(2))
        time.sleep(moment / 1_000_000)
        own.close()
        assert not own.watcher.is_alive()
