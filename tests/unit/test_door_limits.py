"""Rates and failures, counted over processes that may die or hang at any moment."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from ingress.limits.rates import FailedAuthentications, PushRates, Tallies
from ingress.limits.tally import Tally
from schemas.settings.door import Door
from schemas.settings.sources import Source


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let the tally's time stand."""
    own = Clock()
    monkeypatch.setattr("ingress.limits.tally.time.monotonic", own)
    return own


class Children:
    """Forked processes."""

    def __init__(self) -> None:
        self.living: list[int] = []

    def begin(self, work: Callable[[], None]) -> int:
        """Fork a process that does the work and then waits to be killed; return its id once the work is done."""
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                work()
                os.write(write, b"done")
                time.sleep(60)
            finally:
                os._exit(0)
        self.living.append(child)
        os.close(write)
        assert os.read(read, 4) == b"done"
        os.close(read)
        return child

    def kill(self, child: int) -> None:
        """Kill a child, and let the kernel take back what it held."""
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        self.living.remove(child)


@pytest.fixture
def children() -> Iterator[Children]:
    """Yield what forks, and kill what is left."""
    own = Children()
    yield own
    for child in list(own.living):
        own.kill(child)


def test_window_moves_on(clock: Clock) -> None:
    """What was counted leaves the window slot by slot, and how long that takes is told."""
    tally = Tally(2, slot_seconds=1.0, window=3)
    for _ in range(3):
        tally.add(1)
        clock.now += 1.0
    assert (tally.count(1), tally.count(0)) == (2, 0)  # the first one is three seconds old
    tally.add(1, 5)
    assert tally.count(1) == 7
    assert tally.seconds_until_below(1, 8) == 0.0
    assert tally.seconds_until_below(1, 7) == 1.0
    assert tally.seconds_until_below(1, 1) == 3.0
    tally.add(1, -5)
    assert tally.count(1) == 2
    clock.now += 100.0
    assert tally.count(1) == 0
    tally.add(1, -1)
    assert tally.count(1) == 0


def test_processes_count_together(children: Children) -> None:
    """Each sees at once what the others counted; what a killed one counted stays, and its row is given to the next."""
    tally = Tally(1, slot_seconds=60.0, window=2)
    tally.add(0)
    first = children.begin(lambda: tally.add(0, 10))
    second = children.begin(lambda: tally.add(0, 100))
    assert tally.count(0) == 111
    children.kill(first)
    children.begin(lambda: tally.add(0, 1000))
    assert tally.count(0) == 1111
    os.kill(second, signal.SIGSTOP)  # hangs, for good
    children.begin(lambda: tally.add(0, 10_000))
    tally.add(0)
    assert tally.count(0) == 11_112
    assert tally._rows_in_use == 4  # noqa: SLF001 - the killed one's row was used again


def test_window_that_does_not_fit() -> None:
    """A window of more slots than are kept is refused."""
    with pytest.raises(ValueError, match="window of 16"):
        Tally(1, slot_seconds=1.0, window=16)


def source(name: str, rate: float | None) -> Source:
    """Return a source with a rate."""
    return Source(name=name, format="ethoca", subjects=("CN=x",), pushes_per_second=rate)


def test_rates_by_source_and_altogether(clock: Clock) -> None:
    """A source has its own rate, all together have theirs, and what is refused uses up neither."""
    sources = (source("a", 0.2), source("b", None))
    rates = PushRates(Door(pushes_per_second=0.5), sources, Tally(3, slot_seconds=1.0, window=10))
    assert [rates.count("a") for _ in range(3)] == [None, None, 10.0]
    assert [rates.count("b") for _ in range(4)] == [None, None, None, 10.0]
    clock.now += 9.0
    assert rates.count("b") == 1.0
    clock.now += 1.0
    assert [rates.count("a"), rates.count("b")] == [None, None]


def test_no_rates_by_default(clock: Clock) -> None:
    """Nothing is limited unless it is set; and a rate below one in ten seconds still lets one pass."""
    tally = Tally(2, slot_seconds=1.0, window=10)
    unlimited = PushRates(Door(), (source("a", None),), tally)
    assert {unlimited.count("a") for _ in range(1000)} == {None}
    slow = PushRates(Door(), (source("a", 0.01),), tally)
    assert [slow.count("a"), slow.count("a")] == [None, 10.0]


def test_failures_by_address(clock: Clock) -> None:
    """The limit holds for one address within one minute, others are not concerned, and the memory is bounded."""
    failures = FailedAuthentications(2, Tallies(Tally(1, 1.0, 10), Tally(4096, 10.0, 6), b"salt"))
    assert [failures.count("192.0.2.1") for _ in range(3)] == [None, None, 60.0]
    assert failures.count("192.0.2.2") is None
    clock.now += 59.0
    assert failures.count("192.0.2.1") == 1.0
    clock.now += 61.0
    assert failures.count("192.0.2.1") is None
    strict = FailedAuthentications(0, Tallies(Tally(1, 1.0, 10), Tally(4096, 10.0, 6), b"salt"))
    assert strict.count("192.0.2.1") is not None
    others = sum(failures.count(f"2001:db8:{number:x}::1") is not None for number in range(1000))
    assert others < 10  # a thousand addresses that fail once each are not mistaken for one
