"""gunicorn's gevent worker, as the door needs it: what cannot be read is answered like anything else that is refused.

gunicorn answers such requests with a page that quotes what it could not read, and it reads a body that nobody wants
to its end. Both are a stranger's to abuse.
"""

from functools import partial
from typing import Any
from uuid import uuid4

import gevent
from gevent.server import StreamServer
from gunicorn.workers.ggevent import GeventWorker

from ingress.acknowledge import Fault, error_envelope
from ingress.listener.heads import RepeatedRequest
from ingress.listener.parting import discard_rest, may_discard, part
from ingress.listener.tls import TlsSocket
from ingress.listener.turns import PlainSocket, give_way
from ingress.listener.wsgi import WholeResponse, describe_request, describe_server
from ingress.telemetry import metrics
from ingress.telemetry.log import open_log
from schemas.listener.reading import make_requests_of
from schemas.listener.unreadable import judge_error, write_answer


class Bound:
    """Stands for a listener, also when that is closed: all that gunicorn asks it is its name."""

    def __init__(self, listener: Any) -> None:  # noqa: ANN401 - gevent has no types
        self._name = listener.getsockname()

    def getsockname(self) -> Any:  # noqa: ANN401 - a path, or an address with its port
        """Return where it was bound."""
        return self._name


class PatientServer(StreamServer):  # type: ignore[misc]  # gevent is published without type information
    """Serves a connection whose handshake ends after the listener was closed; gevent forgets by what."""

    def do_read(self) -> Any:  # noqa: ANN401 - as above
        """Accept a connection, and see to it that its reader takes turns; one that becomes a TLS connection will."""
        accepted = super().do_read()
        if accepted is None or self.ssl_enabled:
            return accepted
        sock, address = accepted
        return PlainSocket(sock.family, sock.type, sock.proto, fileno=sock.detach()), address

    def close(self) -> None:
        """Listen no more."""
        handle = self.__dict__.get("handle")
        super().close()
        if handle is not None:
            self.handle = handle


class DoorWorker(GeventWorker):  # type: ignore[misc]  # gunicorn is published without type information
    """Serves connections until each ends. Its methods are gunicorn's hooks."""

    def server_class(
        self,
        listener: Any,  # noqa: ANN401 - here and below what gunicorn, which has no types, hands on to gevent
        *,
        spawn: Any,  # noqa: ANN401
        ssl_context: Any = None,  # noqa: ANN401
        **_options: Any,  # noqa: ANN401
    ) -> StreamServer:
        """Return what accepts connections. gunicorn takes this for a class of WSGI servers, and so are its options."""
        secured = {} if ssl_context is None else {"ssl_context": ssl_context}
        server = PatientServer(listener, handle=partial(self.handle, Bound(listener)), spawn=spawn, **secured)
        if self.cfg.workers > 1:
            server.max_accept = 1
        return server

    def init_process(self) -> None:
        """Run the worker. gunicorn looks up some thirty settings for each request: they become plain attributes."""
        self.cfg.__dict__.update({name: setting.get() for name, setting in self.cfg.settings.items()})
        self._server = describe_server(self.cfg)
        make_requests_of(RepeatedRequest)
        super().init_process()

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> bool:  # noqa: ANN401 - gunicorn's
        """Serve one request. Raises StopIteration, gunicorn's word for the end of a connection."""
        if getattr(sock, "distrusted", False):
            raise StopIteration
        if getattr(sock, "last_request", False):
            req.force_close()
        try:
            goes_on = self.answer(listener_name, req, sock, addr)
        except StopIteration:
            goes_on = False
        if not discard_rest(req.body):
            part(sock)
            goes_on = False
        if not goes_on:
            raise StopIteration
        if isinstance(sock, TlsSocket):
            sock.answered = True
        if req.unreader.buf.tell():  # a next request is here already: others come first
            give_way()
        return True

    def answer(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> bool:  # noqa: ANN401 - as above
        """Have the application answer a request, and say whether another one may follow on its connection."""
        response = WholeResponse(req, sock, self.cfg)
        if req._expected_100_continue:  # noqa: SLF001 - gunicorn's own way of telling it
            sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        environment = describe_request(self._server, req, sock, addr, listener_name)
        self.nr += 1
        if self.nr >= self.max_requests:
            self.alive = False
        if not self.alive:
            response.force_close()
        try:
            pieces = self.wsgi(environment, response.start_response)
            if not may_discard(req.body):
                response.force_close()
            try:
                for piece in pieces:
                    response.write(piece)
                response.close()
            finally:
                if hasattr(pieces, "close"):
                    pieces.close()
        except (gevent.GreenletExit, SystemExit):
            raise StopIteration from None
        except Exception as error:
            if isinstance(error, OSError) or not response.headers_sent:
                raise
            self.log.exception("an answer was broken off")
            raise StopIteration from error
        self.cfg.post_request(self, req, environment, response)
        return not response.should_close()

    def handle_error(self, _req: Any, client: Any, addr: Any, exc: BaseException) -> None:  # noqa: ANN401 - as above
        """Answer what could not be read, or what broke, without quoting any of it."""
        if isinstance(exc, OSError | gevent.GreenletExit):
            return  # the connection itself is gone
        verdict = judge_error(exc)
        outcome, fault = "refused", Fault(verdict.code, "the request cannot be read")
        if verdict.status >= 500:
            outcome = "failed"
            fault = Fault(verdict.code, "an unexpected error; push the alert again", recoverable=True)
        request_id = uuid4().hex
        metrics.REQUESTS.labels(source="", outcome=outcome, status=str(verdict.status)).inc()
        address = addr[0] if isinstance(addr, tuple) else ""
        open_log().info(outcome, request_id=request_id, status=verdict.status, address=address, why=verdict.why)
        headers = {"Content-Type": "application/json", "X-Request-Id": request_id, "Cache-Control": "no-store"}
        write_answer(client, verdict, headers, error_envelope([fault]))
        part(client)
