"""A shorter way for the one hot answer: an acknowledgement is given without Flask's dispatch, in the very same bytes.

This is a layer around Flask's own WSGI application. It has each push received, and what is acknowledged it answers
itself. Every other outcome it lays into the environment, where Flask's view finds it and words the answer; what is no
push to a known path is Flask's from the beginning.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from ingress.acknowledge import Answer
from ingress.identity.certificate import Environment
from ingress.receive import Reception
from ingress.settings import Admission
from ingress.telemetry.record import Record
from ingress.visit import Visit

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

VISIT = "alert_intake.visit"
OUTCOME = "alert_intake.outcome"
COMMON_HEADERS = (("Cache-Control", "no-store"),)  # of every answer


class Shortcut:
    """Give it Flask's application and put it in its place. `begin` opens the visit of any request."""

    def __init__(
        self,
        application: "WSGIApplication",
        paths: Mapping[str, Admission],
        reception: Reception,
        begin: Callable[[Environment], Visit],
        record: Record,
    ) -> None:
        self._application = application
        # Flask reads paths as UTF-8, WSGI hands them over as latin-1: only for ASCII is it the same.
        self._paths = {path: admission for path, admission in paths.items() if path.isascii()}
        self._reception = reception
        self._begin = begin
        self._record = record

    def __call__(self, environment: Environment, start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request, or have Flask answer it."""
        visit = environment[VISIT] = self._begin(environment)
        admission = self._paths.get(environment["PATH_INFO"])
        if admission is None or environment["REQUEST_METHOD"] != "POST" or "HTTP_UPGRADE" in environment:
            return self._application(environment, start_response)
        try:
            answer = self._reception.receive(admission, environment, visit)
            if answer.status == 200:
                self._record.conclude(visit, 200)
                return acknowledge(answer, visit, start_response)
            environment[OUTCOME] = answer
        except Exception as error:  # noqa: BLE001 - Flask's view raises it again, and Flask's handlers answer it
            environment[OUTCOME] = error
        return self._application(environment, start_response)


def acknowledge(answer: Answer, visit: Visit, start_response: "StartResponse") -> Iterable[bytes]:
    """Answer as Flask does: the same headers in the same order."""
    start_response(
        "200 OK",
        [
            *answer.headers.items(),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(answer.body))),
            ("X-Request-Id", visit.request_id),
            *COMMON_HEADERS,
        ],
    )
    return (answer.body,)


def take_outcome(environment: Environment) -> Answer | None:
    """Return what became of a push that was received already, None when it was not. Raises what receiving it raised."""
    outcome: Answer | Exception | None = environment.pop(OUTCOME, None)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
