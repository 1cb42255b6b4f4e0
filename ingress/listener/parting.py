"""What becomes of a connection behind an answer: what is left of a body is read, or else the connection ends.

It must not end at once. Whoever is still sending would be told of a reset, and might never see the answer.
"""

from contextlib import suppress
from socket import SHUT_WR
from typing import Any

import gevent
from gunicorn.http import errors
from gunicorn.http.body import Body, LengthReader

from ingress.listener.tls import TlsSocket
from schemas.listener.reading import WholeBody, is_read

DISCARD_BYTES = 8 * 1024 * 1024
DISCARD_SECONDS = 5.0
PIECE = 64 * 1024


def may_discard(body: Body | WholeBody) -> bool:
    """Say whether what is left of a body may be read for the sake of a next request: not if it takes parsing."""
    if isinstance(body, WholeBody) or is_read(body):
        return True
    return isinstance(body.reader, LengthReader) and not body.failed and body.reader.length <= DISCARD_BYTES


def discard_rest(body: Body | WholeBody) -> bool:
    """Read what is left of a body. False: that is too much, or takes too long, so the connection has to end."""
    if is_read(body):
        return True
    if not may_discard(body):
        return False
    try:
        with gevent.Timeout(DISCARD_SECONDS, TimeoutError):
            while not is_read(body):
                body.read(PIECE)
    except (OSError, errors.ParseException):
        return False
    return True


def part(sock: Any) -> None:  # noqa: ANN401 - gevent has no types
    """Say that nothing more will be said, and drop what still comes, undeciphered, before the connection is closed."""
    left = DISCARD_BYTES
    with suppress(OSError), gevent.Timeout(DISCARD_SECONDS, TimeoutError):
        if isinstance(sock, TlsSocket):
            sock.say_goodbye()
        sock.shutdown(SHUT_WR)
        while left > 0 and (piece := sock.recv(PIECE)):
            left -= len(piece)
