"""The latest events, one after another without a gap, in bounded memory. One thread fills it, streams read from it."""

import threading
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from itertools import islice

from console.feed.events import Event

KEPT_EVENTS = 2000
KEPT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Stretch:
    """What comes after a place: the events, and the place behind them, up to which everything is now known."""

    events: list[Event]
    place: int


class Behind(Exception):
    """A place lies before everything that is kept. What comes after it is in the database, up to `horizon`."""

    def __init__(self, horizon: int) -> None:
        super().__init__("the place lies before what is kept")
        self.horizon = horizon


class Buffer:
    """Holds whatever comes after the place `_begins` and up to the `_horizon`, in the order of positions."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._kept: deque[Event] = deque()
        self._bytes = 0
        self._begins = 0
        self._horizon: int | None = None  # None: not known yet

    def keeps(self) -> int | None:
        """Return how many events there are, None while it is not known where the feed stands."""
        with self._changed:
            return None if self._horizon is None else len(self._kept)

    @property
    def horizon(self) -> int | None:
        """The place up to which everything is known."""
        return self._horizon

    def forget(self) -> None:
        """Know nothing any more."""
        with self._changed:
            self._horizon = None

    def restart(self, place: int) -> None:
        """Forget everything, and go on behind a place."""
        with self._changed:
            self._kept.clear()
            self._bytes = 0
            self._begins = self._horizon = place
            self._changed.notify_all()

    def extend(self, stretch: Stretch) -> None:
        """Take in what comes after the horizon, and forget the oldest beyond the bounds."""
        with self._changed:
            for event in stretch.events:
                self._kept.append(event)
                self._bytes += len(event.frame)
            while self._kept and (len(self._kept) > KEPT_EVENTS or self._bytes > KEPT_BYTES):
                oldest = self._kept.popleft()
                self._bytes -= len(oldest.frame)
                self._begins = oldest.position
            self._horizon = stretch.place
            self._changed.notify_all()

    def read_after(self, place: int, limit: int) -> Stretch:
        """Return up to `limit` events after a place. Raises Behind."""
        with self._changed:
            if self._horizon is None or place >= self._horizon:
                return Stretch([], place)
            if place < self._begins:
                raise Behind(self._horizon)
            first = bisect_right(self._kept, place, key=lambda event: event.position)
            return end_stretch(list(islice(self._kept, first, first + limit)), limit, self._horizon)

    def wait_beyond(self, place: int, seconds: float) -> None:
        """Wait until there may be something after a place, until woken, at most so many seconds."""
        with self._changed:
            if self._horizon is None or self._horizon <= place:
                self._changed.wait(seconds)

    def wake(self) -> None:
        """Let nobody wait any longer."""
        with self._changed:
            self._changed.notify_all()


def end_stretch(found: list[Event], limit: int, horizon: int) -> Stretch:
    """Return what was found when up to `limit` events were looked for: fewer are all there is up to the horizon."""
    return Stretch(found, found[-1].position if len(found) == limit else horizon)
