"""gunicorn's gevent worker, as the door needs it: what cannot be read is answered like anything else that is refused.

gunicorn answers such requests with a page that quotes what it could not read, and it reads a body that nobody wants
to its end. Both are a stranger's to abuse.
"""

from functools import partial
from typing import Any
from uuid import uuid4

import gevent
from gevent.server import StreamServer
from gunicorn.http import errors
from gunicorn.util import write_nonblock
from gunicorn.workers.ggevent import GeventWorker

from ingress import metrics
from ingress.acknowledge import Fault, error_envelope
from ingress.log import open_log
from ingress.tls import TlsSocket

DISCARD_BYTES = 8 * 1024 * 1024
DISCARD_SECONDS = 5.0

# Whatever else is wrong with a request is 400, an unknown transfer coding too: 501 would say that it is our fault.
REASONS: dict[type[Exception], tuple[int, str, str]] = {
    errors.LimitRequestLine: (414, "URI Too Long", "URI_TOO_LONG"),
    errors.LimitRequestHeaders: (431, "Request Header Fields Too Large", "HEADERS_TOO_LARGE"),
    errors.ExpectationFailed: (417, "Expectation Failed", "EXPECTATION_FAILED"),
}
BAD_REQUEST = (400, "Bad Request", "BAD_REQUEST")


class Bound:
    """Stands for a listener, also when that is closed: all that gunicorn asks it is its name."""

    def __init__(self, listener: Any) -> None:  # noqa: ANN401 - gevent has no types
        self._name = listener.getsockname()

    def getsockname(self) -> Any:  # noqa: ANN401 - a path, or an address with its port
        """Return where it was bound."""
        return self._name


class PatientServer(StreamServer):  # type: ignore[misc]  # gevent is published without type information
    """Serves a connection whose handshake ends after the listener was closed; gevent forgets by what."""

    def close(self) -> None:
        """Listen no more."""
        handle = self.__dict__.get("handle")
        super().close()
        if handle is not None:
            self.handle = handle


class DoorWorker(GeventWorker):  # type: ignore[misc]  # gunicorn is published without type information
    """Serves connections until each ends. Its methods are gunicorn's hooks."""

    def server_class(self, listener: Any, *, spawn: Any, ssl_context: Any = None, **_options: Any) -> StreamServer:  # noqa: ANN401
        """Return what accepts connections. gunicorn takes this for a class of WSGI servers, and so are its options."""
        secured = {} if ssl_context is None else {"ssl_context": ssl_context}
        server = PatientServer(listener, handle=partial(self.handle, Bound(listener)), spawn=spawn, **secured)
        if self.cfg.workers > 1:
            server.max_accept = 1
        return server

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:  # noqa: ANN401 - gunicorn's
        """Serve one request. Raises StopIteration, gunicorn's word for the end of a connection."""
        if getattr(sock, "last_request", False):
            req.force_close()
        try:
            goes_on = super().handle_request(listener_name, req, sock, addr)
        except StopIteration:
            discard_rest(req)
            raise
        if not discard_rest(req):
            raise StopIteration
        if isinstance(sock, TlsSocket):
            sock.answered = True
        return goes_on

    def handle_error(self, _req: Any, client: Any, addr: Any, exc: BaseException) -> None:  # noqa: ANN401 - as above
        """Answer what could not be read, or what broke, without quoting any of it."""
        if isinstance(exc, OSError | gevent.GreenletExit):
            return  # the connection itself is gone
        if isinstance(exc, errors.ParseException):
            status, phrase, code = REASONS.get(type(exc), BAD_REQUEST)
            fault = Fault(code, "the request cannot be read")
        else:
            status, phrase, code = 500, "Internal Server Error", "SYSTEM_ERROR"
            fault = Fault(code, "an unexpected error; push the alert again", recoverable=True)
        request_id = uuid4().hex
        outcome = "refused" if status < 500 else "failed"
        metrics.REQUESTS.labels(source="", outcome=outcome, status=str(status)).inc()
        why = code if status < 500 else type(exc).__name__
        address = addr[0] if isinstance(addr, tuple) else ""
        open_log().info(outcome, request_id=request_id, status=status, address=address, why=why)
        body = error_envelope([fault])
        head = (
            f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nX-Request-Id: {request_id}\r\nCache-Control: no-store\r\n\r\n"
        )
        try:
            write_nonblock(client, head.encode() + body)
        except (OSError, ValueError):
            return  # gone, or closed


def discard_rest(request: Any) -> bool:  # noqa: ANN401 - gunicorn has no types
    """Read what is left of a body, so that its sender sees the answer. False: it is too much, end the connection."""
    if request.body.failed:
        return False  # where the next request would begin is unknown
    if getattr(request.body.reader, "length", None) == 0:
        return True
    left = DISCARD_BYTES
    try:
        with gevent.Timeout(DISCARD_SECONDS, TimeoutError):
            while left > 0:
                piece = request.body.read(65536)
                if not piece:
                    return True
                left -= len(piece)
    except (OSError, errors.ParseException):
        return False
    return False
