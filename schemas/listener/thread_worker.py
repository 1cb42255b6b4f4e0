"""gunicorn's thread worker, for the listeners that speak plain HTTP: discreet about requests that it cannot read.

A thread gets a request when its head is whole, and its body too where that is small. To read another one it has a
deadline. For all else the loop waits.
"""

import time
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from socket import SHUT_WR
from typing import Any

from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import ThreadWorker

from schemas.listener.gathering import Gathering
from schemas.listener.reading import BoundedRequest, make_requests_of
from schemas.listener.unreadable import Verdict, judge_error, write_answer
from schemas.listener.waiting import PunctualSocket, PunctualUnreader, Wait

PIECE = 8 * 1024
DROP_BYTES = 1024 * 1024  # that come behind an answer; more is a reset


class DiscreetWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn is published without type information
    """Its public methods are gunicorn's hooks, but for the two that each listener has to say."""

    HEAD_SECONDS = 10.0  # for the head of a request, from its first byte or the connection's begin
    BODY_SECONDS = 30.0  # for its body, from when the head is there
    TAKE_SECONDS = 60.0  # until some of an answer is taken; streams may go on for ever
    PARTING_SECONDS = 2.0  # for whoever was answered for the last time, to close his side

    def init_process(self) -> None:
        """Run the worker."""
        self._waits: dict[Any, Wait] = {}
        make_requests_of(BoundedRequest)
        super().init_process()

    def enqueue_req(self, conn: Any) -> None:  # noqa: ANN401 - gunicorn has no types
        """Give a connection to a thread as soon as it has a whole request, or one whose body is to be read there."""
        if not conn.initialized:
            conn.sock = PunctualSocket(fileno=conn.sock.detach())
            conn.sock.take_within(self.TAKE_SECONDS)
            conn.init()
            conn.parser.unreader = PunctualUnreader(conn.sock)
        conn.sock.setblocking(False)
        request = Gathering()
        request.add(conn.parser.unreader.take_buffered())
        self._waits[conn] = Wait(self.poller, conn, self.HEAD_SECONDS, partial(self._drop, conn))
        self._gather(conn, request)

    def _gather(self, conn: Any, request: Gathering, _sock: Any = None) -> None:  # noqa: ANN401 - as above
        """Take in what there is of a request."""
        wait, had_head = self._waits[conn], request.settled
        try:
            while not request.whole and (piece := conn.sock.recv(PIECE)):
                request.add(piece)
        except BlockingIOError:
            wait.begin(partial(self._gather, conn, request))
            if request.awaits_body and not had_head:
                wait.deadline = time.monotonic() + self.BODY_SECONDS
                wait.expire = partial(self._serve, conn, request, 0.0)
            return
        except OSError:
            request.data.clear()
        self._serve(conn, request, self.BODY_SECONDS)

    def _serve(self, conn: Any, request: Gathering, seconds: float) -> None:  # noqa: ANN401 - as above
        """Give a request to a thread, which may wait for so many seconds for what is left of its body."""
        if not request.data or not conn.sock.takes_answers():
            self._drop(conn)
            return
        self._waits.pop(conn).end()
        conn.parser.unreader.unread(request.data)
        conn.parser.unreader.deadline = time.monotonic() + seconds
        super().enqueue_req(conn)

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:  # noqa: ANN401 - as above
        """Say whether a connection goes on. Nobody waits for a body that was not wanted."""
        conn.parser.unreader.deadline = 0.0
        with suppress(ParseException):
            return bool(super()._keepalive_after(conn, keepalive))
        return False

    def finish_request(self, conn: Any, fs: Any) -> None:  # noqa: ANN401 - as above
        """Go on with a connection, or let it end, but do not wait here until the other side has left."""
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
            return
        self._waits[conn] = Wait(self.poller, conn, self.PARTING_SECONDS, partial(self._drop, conn))
        try:
            conn.sock.shutdown(SHUT_WR)
            conn.sock.setblocking(False)
            self._waits[conn].begin(partial(self._await_leaving, conn, [DROP_BYTES]))
        except OSError:
            self._drop(conn)

    def _await_leaving(self, conn: Any, left: list[int], _sock: Any) -> None:  # noqa: ANN401 - as above
        """Drop what still comes: a connection that is closed before it was read is reset, and its answer lost."""
        try:
            piece = conn.sock.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        left[0] -= len(piece)
        if not piece or left[0] < 0:
            self._drop(conn)

    def murder_pending(self) -> None:
        """Wait no more for connections that were waited for long enough."""
        super().murder_pending()
        now = time.monotonic()
        for wait in [wait for wait in self._waits.values() if wait.deadline <= now]:
            wait.expire()

    def _cap_keepalive(self, deadline: float) -> None:
        """Wait for nobody until later than this: the worker stops."""
        super()._cap_keepalive(deadline)
        for wait in self._waits.values():
            wait.deadline = min(wait.deadline, deadline)

    def _drop(self, conn: Any) -> None:  # noqa: ANN401 - as above
        self._waits.pop(conn).end()
        self.nr_conns -= 1
        conn.close()

    def handle_error(self, _req: Any, client: Any, addr: Any, exc: BaseException) -> None:  # noqa: ANN401 - gunicorn's
        """Answer what could not be read, or what broke, without quoting any of it."""
        if isinstance(exc, OSError):
            return  # the connection itself is gone
        verdict = judge_error(exc)
        headers, body = self.present(verdict)
        self.note(verdict, addr[0] if isinstance(addr, tuple) else "")
        write_answer(client, verdict, headers, body)

    @abstractmethod
    def present(self, verdict: Verdict) -> tuple[Mapping[str, str], bytes]:
        """Return headers and body of the answer, in the form of this listener's other errors."""

    @abstractmethod
    def note(self, verdict: Verdict, address: str) -> None:
        """Write the one line of the log."""
