"""The feed: events in the order of their positions, shared by all streams of this process.

One thread follows the database (LISTEN, and a look every second) and keeps the latest events, each encoded once, in one
bounded buffer. A stream has no buffer of its own, only a place: whoever is within the buffer is served from it without
a query, whoever is behind reads page by page from the database. So a slow client costs no memory and loses nothing.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import structlog
from psycopg.rows import dict_row

from console.connections import CONNECT_SECONDS, Database, prepare_session
from console.feed.buffer import Behind, Buffer, Stretch, end_stretch
from console.feed.events import CHANNEL, read_events, read_horizon
from console.pool import ReadPool

STREAMS = 128  # at the same time in one process; deploy/gunicorn.console.conf.py has threads for them beside the API's
LOOK_SECONDS = 1.0
PAGE = 200

log = structlog.get_logger()


class TooManyStreams(Exception):
    """So many streams are open that another would take the threads of the API. Try again later, or start a worker."""


class Feed:
    """Shared by the streams of one process. Opens its connections when the first stream comes, after the fork."""

    def __init__(self, url: str, streams: int = STREAMS) -> None:
        self._url = url
        self._streams = streams
        self._behind = ReadPool(url, 2)  # of its own, so that streams that catch up take no connection from the API
        self._lock = threading.Lock()
        self._followers = 0
        self._follower: threading.Thread | None = None
        self._buffer = Buffer()
        self.keeps = self._buffer.keeps
        self.wait_beyond, self.wake = self._buffer.wait_beyond, self._buffer.wake
        self._lives: Callable[[], bool] = lambda: True

    def lives_while(self, alive: Callable[[], bool]) -> None:
        """Let the streams end as soon as `alive` no longer holds: at once when `wake` is called, too."""
        self._lives = alive

    @property
    def alive(self) -> bool:
        """Say whether streams go on."""
        return self._lives()

    def runs(self) -> bool:
        """Say whether the database is being followed."""
        with self._lock:
            return self._follower is not None

    def enter(self) -> None:
        """Begin a stream; `leave` ends it. Raises TooManyStreams."""
        with self._lock:
            if self._followers >= self._streams:
                raise TooManyStreams
            if self._follower is None:
                self._buffer.forget()
                follower = threading.Thread(target=self._follow, name="feed", daemon=True)
                follower.start()
                self._follower = follower
            self._followers += 1

    def leave(self) -> None:
        """End a stream."""
        with self._lock:
            self._followers -= 1

    def find_end(self) -> tuple[int, int]:
        """Return the present horizon and the last position drawn. Raises Unreachable or PoolTimeout."""
        with self._behind.connection() as database:
            return read_horizon(database)

    def read_after(self, place: int, limit: int = PAGE) -> Stretch:
        """Return up to `limit` events after a place. Raises Unreachable or PoolTimeout when it is far behind."""
        try:
            return self._buffer.read_after(place, limit)
        except Behind as behind:
            with self._behind.connection() as database:
                return end_stretch(read_events(database, place, behind.horizon, limit), limit, behind.horizon)

    def _follow(self) -> None:
        """Follow the database while there are streams, whatever happens: without it they would wait for ever.

        After an error that is not the database's, what is kept is forgotten: it need not be whole, and whoever is
        behind reads from the database.
        """
        while self._wanted():
            try:
                with self._listen() as database:
                    while True:
                        self._advance(database)
                        for _notification in database.notifies(timeout=LOOK_SECONDS, stop_after=1):
                            pass
                        if not self._wanted():
                            return
            except Exception as error:  # noqa: BLE001 - whatever it is, streams wait for this thread
                log.error("feed_interrupted", error=type(error).__name__)  # noqa: TRY400 - its text may name addresses
                if not isinstance(error, psycopg.Error):
                    self._buffer.forget()
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
        with self._lock:
            if self._followers and self.alive:
                return True
            self._follower = None
            return False

    def _advance(self, database: Database) -> None:
        """Take in what has come since the last time, and wake the streams."""
        horizon, _last = read_horizon(database)
        if self._buffer.horizon is None:
            self._buffer.restart(horizon)
        while (place := self._buffer.horizon or 0) < horizon:
            self._buffer.extend(end_stretch(read_events(database, place, horizon, PAGE), PAGE, horizon))
