"""Limit: an attempt ends when its time is over, however a receiver spends it.

A time limit for each wait would let a receiver that sends a byte now and then hold its sender for ever. So every wait
gets what is left of the time for the whole attempt. Not in our hands is how long the system's resolver takes
(resolv.conf: mostly 5 seconds a server and try).
"""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Limit(threading.local):
    """When the attempt that this thread is making has to be over, by `time.monotonic`."""

    until: float = 0.0

    def left(self) -> float:
        """Return the seconds that are left. Raises TimeoutError when there are none."""
        seconds = self.until - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the time for this delivery is over")
        return seconds


LIMIT = Limit()


@contextmanager
def limit_attempt(seconds: float) -> Iterator[None]:
    """Let what this thread does inside end after so many seconds, however it is spent on the network."""
    LIMIT.until = time.monotonic() + seconds
    try:
        yield
    finally:
        LIMIT.until = 0.0


class LimitedSocket(socket.socket):
    """A socket on which every wait ends with its thread's attempt."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:  # noqa: ANN401 - socket's own signature
        """Receive what comes in time."""
        self.settimeout(LIMIT.left())
        return super().recv_into(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - socket's own signature
        """Send all of it in time."""
        self.settimeout(LIMIT.left())
        super().sendall(*args, **kwargs)


class LimitedTLS(ssl.SSLSocket):
    """The same over TLS. The handshake as a whole is limited by the timeout of the socket that it is made on."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:  # noqa: ANN401 - socket's own signature
        """Receive what comes in time."""
        self.settimeout(LIMIT.left())
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:  # noqa: ANN401 - socket's own signature
        """Send what can be sent in time; `sendall` is made of it."""
        self.settimeout(LIMIT.left())
        return super().send(*args, **kwargs)
