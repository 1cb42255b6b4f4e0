"""The feed: events in the order of their positions, shared by all streams of this process.

One thread follows the database (LISTEN, and a look every second) and keeps the latest events, each encoded once, in one
bounded buffer. A stream has no buffer of its own, only a place: whoever is within the buffer is served from it without
a query, whoever is behind reads page by page from the database. So a slow client costs no memory and loses nothing.
"""

import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import psycopg
import structlog
from psycopg.rows import dict_row

from console.connections import CONNECT_SECONDS, Database, prepare_session
from console.feed.events import CHANNEL, Event, read_events, read_horizon
from console.pool import ReadPool

STREAMS = 128  # at the same time in one process; deploy/gunicorn.console.conf.py has threads for them beside the API's
KEPT_EVENTS = 2000
KEPT_BYTES = 16 * 1024 * 1024
LOOK_SECONDS = 1.0
PAGE = 200

log = structlog.get_logger()


class TooManyStreams(Exception):
    """So many streams are open that another would take the threads of the API. Try again later, or start a worker."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What comes after a place: the events, and the place behind them, up to which everything is now known."""

    events: list[Event]
    place: int


class Feed:
    """Shared by the streams of one process. Opens its connections when the first stream comes, after the fork."""

    def __init__(self, url: str, streams: int = STREAMS) -> None:
        self._url = url
        self._streams = streams
        self._behind = ReadPool(url, 2)  # of its own, so that streams that catch up take no connection from the API
        self._changed = threading.Condition()
        self._followers = 0
        self._follower: threading.Thread | None = None
        self._kept: deque[Event] = deque()
        self._bytes = 0
        self._from = 0  # after this place the buffer holds everything up to the horizon
        self._horizon: int | None = None
        self._lives: Callable[[], bool] = lambda: True

    def lives_while(self, alive: Callable[[], bool]) -> None:
        """Let the streams end as soon as `alive` no longer holds: they would outlast the server's patience."""
        self._lives = alive

    @property
    def alive(self) -> bool:
        """Say whether streams go on."""
        return self._lives()

    def keeps(self) -> int | None:
        """Return how many events are in the buffer, None while it does not know yet where the feed stands."""
        with self._changed:
            return None if self._horizon is None else len(self._kept)

    def runs(self) -> bool:
        """Say whether the database is being followed."""
        with self._changed:
            return self._follower is not None

    def enter(self) -> None:
        """Begin a stream; `leave` ends it. Raises TooManyStreams."""
        with self._changed:
            if self._followers >= self._streams:
                raise TooManyStreams
            self._followers += 1
            if self._follower is None:
                self._horizon = None
                self._follower = threading.Thread(target=self._follow, name="feed", daemon=True)
                self._follower.start()

    def leave(self) -> None:
        """End a stream."""
        with self._changed:
            self._followers -= 1

    def find_end(self) -> tuple[int, int]:
        """Return the present horizon and the last position drawn. Raises Unreachable or PoolTimeout."""
        with self._behind.connection() as database:
            return read_horizon(database)

    def read_after(self, place: int, limit: int = PAGE) -> Stretch:
        """Return up to `limit` events after a place. Raises Unreachable or PoolTimeout when it is far behind."""
        with self._changed:
            horizon = self._horizon
            if horizon is None or place >= horizon:
                return Stretch([], place)
            if place >= self._from:
                first = bisect_right(self._kept, place, key=lambda event: event.position)
                found = list(islice(self._kept, first, first + limit))
                return Stretch(found, found[-1].position if len(found) == limit else horizon)
        with self._behind.connection() as database:
            found = read_events(database, place, horizon, limit)
        return Stretch(found, found[-1].position if len(found) == limit else horizon)

    def wait_beyond(self, place: int, seconds: float) -> None:
        """Wait until there may be something after a place, at most so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._horizon is not None and self._horizon > place, seconds)

    def _follow(self) -> None:
        """Follow the database while there are streams."""
        while self._wanted():
            try:
                with self._listen() as database:
                    while True:
                        self._advance(database)
                        for _notification in database.notifies(timeout=LOOK_SECONDS, stop_after=1):
                            pass
                        if not self._wanted():
                            return
            except psycopg.Error as error:
                log.error("feed_interrupted", error=type(error).__name__)  # noqa: TRY400 - its text may name addresses
                threading.Event().wait(LOOK_SECONDS)

    @contextmanager
    def _listen(self) -> Iterator[Database]:
        with psycopg.connect(
            self._url,
            autocommit=True,
            row_factory=dict_row,
            connect_timeout=CONNECT_SECONDS,
            application_name="alert-intake feed",
        ) as database:
            prepare_session(database)
            database.execute(f"LISTEN {CHANNEL}")
            yield database

    def _wanted(self) -> bool:
        with self._changed:
            if self._followers and self.alive:
                return True
            self._follower = None
            return False

    def _advance(self, database: Database) -> None:
        """Take in what has come since the last time, and wake the streams."""
        horizon, _last = read_horizon(database)
        if self._horizon is None:
            with self._changed:
                self._kept.clear()
                self._bytes = 0
                self._from = self._horizon = horizon
                self._changed.notify_all()
            return
        while self._horizon < horizon:
            found = read_events(database, self._horizon, horizon, PAGE)
            with self._changed:
                self._keep(found)
                self._horizon = found[-1].position if len(found) == PAGE else horizon
                self._changed.notify_all()

    def _keep(self, events: list[Event]) -> None:
        for event in events:
            self._kept.append(event)
            self._bytes += len(event.frame)
        while self._kept and (len(self._kept) > KEPT_EVENTS or self._bytes > KEPT_BYTES):
            oldest = self._kept.popleft()
            self._bytes -= len(oldest.frame)
            self._from = oldest.position
