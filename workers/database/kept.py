"""Kept: a connection to the database that is lent to one run after another.

To open one, and to plan all statements anew on it, costs both ends as much as a dozen alerts. It is opened anew now and
then all the same: whoever moves the database to another server may leave the old one running.
"""

import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from workers.database.connections import Database, connect_database

KEPT = 60.0  # seconds


class Kept:
    """The connection of one process, which one thread at a time uses. `make_ready` is called with each new one.

    is_new  no run that the connection was lent to has ended yet
    """

    def __init__(self, url: str, purpose: str, make_ready: Callable[[Database], object] = lambda _: None) -> None:
        self._url = url
        self._purpose = purpose
        self._make_ready = make_ready
        self._database: Database | None = None
        self._opened = 0.0
        self.is_new = True

    @contextmanager
    def lend(self) -> Iterator[Database]:
        """Lend the connection for a run. Raises what the database raises.

        One on which anything failed is not used again, nor one that the server has ended since the last run.
        """
        if time.monotonic() - self._opened > KEPT or self.has_been_told():
            self.close()
        try:
            yield self.open()
        except BaseException:
            self.close()
            raise
        self.is_new = False

    def has_been_told(self) -> bool:
        """Whether the server has said anything by itself since it was last asked: that is how it parts."""
        if self._database is None or self._database.closed:
            return True
        ready = select.poll()
        ready.register(self._database, select.POLLIN)
        return bool(ready.poll(0))

    def open(self) -> Database:
        """Return the connection, opened if there is none. Raises what the database raises."""
        if self._database is None:
            self._database = connect_database(self._url, self._purpose)
            self._opened = time.monotonic()
            self.is_new = True
            try:
                self._make_ready(self._database)
            except BaseException:
                self.close()
                raise
        return self._database

    def close(self) -> None:
        """Let go of the connection."""
        if self._database is not None:
            self._database.close()
            self._database = None
