"""Sockets whose readers take turns, and whose writers do not wait for ever.

gevent's recv waits, and so lets others run, only when nothing is there. A sender of many small pieces is always ahead
of their reader: no other connection would be served meanwhile, and no deadline could pass. Its send waits for as long
as nobody takes what is sent.
"""

import errno
from typing import Any

import gevent
from gevent.socket import socket

TURN = 8 * 1024  # bytes read without a wait; then it is the others' turn
READ = 1024  # what a read counts for besides its bytes
TAKE_SECONDS = 10.0  # until some of an answer is taken; then it is as if the other side had gone
SOON = 1e-9  # seconds. With 0 the loop would look at its sockets and timers only after fifty such turns


def give_way() -> None:
    """Let everybody else run who can, and deadlines pass."""
    gevent.sleep(SOON)


class TurnTaking:
    """Belongs in front of a socket's class. A request in one or two pieces never gives up its turn."""

    _unbroken = 0

    def recv(self, size: int = 1024, flags: int = 0) -> bytes:
        """Read what is there, or wait for it; before that let others run if this one has read for long."""
        if self._unbroken >= TURN:
            self._unbroken = 0
            give_way()
        data: bytes = super().recv(size, flags)  # type: ignore[misc]  # the socket's
        self._unbroken += READ + len(data)
        return data

    def _wait(self, *watched: Any, **options: Any) -> None:  # noqa: ANN401 - gevent has no types
        self._unbroken = 0
        if watched[0] is not self._write_event:  # type: ignore[attr-defined]  # as above
            super()._wait(*watched, **options)  # type: ignore[misc]  # as above
            return
        with gevent.Timeout(TAKE_SECONDS, BrokenPipeError(errno.EPIPE, "the answer was not taken in time")):
            super()._wait(*watched, **options)  # type: ignore[misc]  # as above


class PlainSocket(TurnTaking, socket):  # type: ignore[misc]  # gevent is published without type information
    """A connection of the proxy's, on a unix socket."""
