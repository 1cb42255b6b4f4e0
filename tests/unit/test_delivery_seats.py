"""Deliveries take seats: one after the other where receivers are quick, all at once where they are slow."""

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
    assert row.next_after(first) == second
    row.take_in([third])
    assert row.next_after(second) == third
    assert row.next_after(third) is None
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
    assert row.next_after(slow) is None


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
