"""How long a thread worker waits for the other side, and who of it: its loop where it can, its threads not for ever.

gunicorn has a thread wait for a head, a body, or that an answer is taken, without an end, and its loop for up to two
seconds for each that leaves. So a few connections that do nothing would keep all others from being served.
"""

import errno
import select
import struct
import time
from collections.abc import Callable
from selectors import EVENT_READ, BaseSelector
from socket import SO_SNDTIMEO, SOL_SOCKET, socket
from typing import Any

from gunicorn.http.unreader import SocketUnreader


class Wait:
    """A connection that the loop waits for, on a selector, until a deadline on the monotonic clock.

    Whoever looks at the deadline calls `expire` when it has passed.
    """

    def __init__(
        self,
        poller: BaseSelector,
        connection: Any,  # noqa: ANN401 - gunicorn has no types
        seconds: float,
        expire: Callable[[], None],
    ) -> None:
        self.connection = connection
        self.deadline = time.monotonic() + seconds
        self.expire = expire
        self._poller = poller
        self._begun = False

    def begin(self, resume: Callable[..., None]) -> None:
        """Have the loop call `resume` whenever there is something to read."""
        if not self._begun:
            self._poller.register(self.connection.sock, EVENT_READ, resume)
            self._begun = True

    def end(self) -> None:
        """Wait no more."""
        if self._begun:
            self._poller.unregister(self.connection.sock)
            self._begun = False


class PunctualSocket(socket):
    """Blocks, but not for ever when nobody takes what it sends: that is as if the other side had gone."""

    def take_within(self, seconds: float) -> None:
        """Say how long it may take until some of an answer is taken. The kernel keeps to it, not a clock of ours."""
        self.setsockopt(SOL_SOCKET, SO_SNDTIMEO, struct.pack("@ll", int(seconds), int(seconds % 1 * 1_000_000)))

    def sendall(self, data: Any, flags: int = 0) -> None:  # noqa: ANN401 - any buffer
        """Send a piece of an answer."""
        try:
            super().sendall(data, flags)
        except BlockingIOError as error:
            raise BrokenPipeError(errno.EPIPE, "the answer was not taken in time") from error

    def takes_answers(self) -> bool:
        """Say whether there is room for another answer: there is little for whoever asks on and takes nothing."""
        room = select.poll()
        room.register(self, select.POLLOUT)
        return bool(room.poll(0))


class PunctualUnreader(SocketUnreader):  # type: ignore[misc]  # gunicorn is published without type information
    """Reads from a blocking socket; beyond its deadline what is there already, and then raises TimeoutError."""

    deadline = 0.0

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Read a piece. What is written meanwhile, by the same thread alone, may take as long as it takes."""
        self.sock.settimeout(max(0.0, self.deadline - time.monotonic()))
        try:
            return super().chunk(size_hint)  # type: ignore[no-any-return]  # as above
        except BlockingIOError as error:
            raise TimeoutError("the body did not arrive in time") from error
        finally:
            self.sock.settimeout(None)
