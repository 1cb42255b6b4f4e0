"""The console's worker: what it cannot read is a problem like any other, with the same headers, and quoted nowhere."""

from collections.abc import Mapping
from http import HTTPStatus
from types import FrameType

import structlog

from console.web.problem import FAILED, MEDIA_TYPE, UNREADABLE, describe_problem
from schemas.listener.thread_worker import DiscreetWorker
from schemas.listener.unreadable import Verdict

log = structlog.get_logger()


class ConsoleWorker(DiscreetWorker):
    """Serves the API and the pages."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop, and let the streams see it at once; not in here, where their lock may be another thread's."""
        if self.alive:
            super().handle_exit(sig, frame)
            self.method_queue.defer(lambda: self.wsgi.extensions["feed"].wake())

    def present(self, verdict: Verdict) -> tuple[Mapping[str, str], bytes]:
        """Return a problem with the headers that every answer has."""
        headers = {"Content-Type": MEDIA_TYPE, **self.wsgi.extensions["headers"]}
        return headers, describe_problem(HTTPStatus(verdict.status), UNREADABLE if verdict.status < 500 else FAILED)

    def note(self, verdict: Verdict, address: str) -> None:
        """Write a line beside those of the requests that were read."""
        write = log.info if verdict.status < 500 else log.error
        write(
            "unreadable" if verdict.status < 500 else "failed", status=verdict.status, address=address, why=verdict.why
        )
