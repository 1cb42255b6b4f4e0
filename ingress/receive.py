"""The way of a push through the door, on one screen."""

import time
from dataclasses import dataclass, field
from uuid import uuid4

import gevent
from gunicorn.http.errors import ParseException

from ingress import metrics
from ingress.acknowledge import Answer, Fault, Refused, answer_push
from ingress.enqueue import Enqueuer
from ingress.identity import Distrusted, Environment, Identify
from ingress.ids import look_at_ids
from ingress.peers import FailedAuthentications
from ingress.settings import Admission
from schemas.door import Door
from schemas.envelope import Envelope
from schemas.journal import JournalFull, JournalUnavailable

BODY_SECONDS = 20.0  # Ethoca gives up on an answer after 30 (docs/contracts.md, 1)
RETRY_SECONDS = 5


@dataclass(slots=True)
class Visit:
    """One request, as the log will tell it. `entry_id` stands from the moment the push is durable."""

    address: str = ""
    request_id: str = field(default_factory=lambda: uuid4().hex)
    started: float = field(default_factory=time.perf_counter)
    source: str | None = None
    certificate: str | None = None
    size: int | None = None
    alerts: int | None = None
    entry_id: str | None = None
    why: str | None = None


class Reception:
    """Takes pushes. Holds what all of them share in one worker process."""

    def __init__(self, door: Door, identify: Identify, enqueuer: Enqueuer) -> None:
        self._door = door
        self._identify = identify
        self._enqueuer = enqueuer
        self._failures = FailedAuthentications(door.failed_authentications_per_minute)

    def receive(self, admission: Admission, environment: Environment, visit: Visit) -> Answer:
        """Take one push to its source's path: check, make durable, answer. Raises Refused before anything is kept."""
        visit.source = admission.source.name
        self.require_certificate(admission, environment, visit)
        self.require_credentials(admission, environment, visit)
        require_json(environment)
        body = read_body(environment, self._door.max_body)
        look = look_at_ids(body, admission.source)
        visit.size, visit.alerts = len(body), len(look.ids)
        visit.entry_id = self.keep(Envelope(admission.source.name, body, visit.request_id))
        return answer_push(look, admission.source)

    def require_certificate(self, admission: Admission, environment: Environment, visit: Visit) -> None:
        """Refuse (403) whoever has not the source's certificate. A source that demands none does not look at it."""
        try:
            certificate = self._identify(environment)
        except Distrusted as reason:
            if admission.pins.required:
                raise refuse_certificate(visit, str(reason)) from reason
            return
        visit.certificate = certificate.fingerprint[:16] if certificate else None
        if not admission.pins.required:
            return
        if certificate is None:
            raise refuse_certificate(visit, "a client certificate is required")
        if not admission.pins.admit(certificate):
            raise refuse_certificate(visit, "this client certificate may not push here")

    def require_credentials(self, admission: Admission, environment: Environment, visit: Visit) -> None:
        """Refuse (401) whoever has not one of the source's credentials; 429 from the configured rate on."""
        if admission.credentials.admit(environment):
            return
        metrics.FAILED_AUTHENTICATIONS.labels(source=admission.source.name, by="header").inc()
        wait = self._failures.count(visit.address)
        if wait is not None:
            fault = Fault("TOO_MANY_FAILED_AUTHENTICATIONS", "too many failed authentications from this address", True)
            raise Refused(429, fault, {"Retry-After": str(int(wait) + 1)})
        fault = Fault("AUTHENTICATION_FAILURE", "the authentication header is missing or wrong")
        raise Refused(401, fault, {"WWW-Authenticate": admission.credentials.challenge})

    def keep(self, envelope: Envelope) -> str:
        """Make a push durable and return its entry's id. Refuses (503) when that is not certain."""
        try:
            return self._enqueuer.enqueue(envelope)
        except JournalUnavailable as error:
            code = "JOURNAL_FULL" if isinstance(error, JournalFull) else "JOURNAL_UNAVAILABLE"
            fault = Fault(code, "the alert cannot be kept at this moment; push it again", recoverable=True)
            raise Refused(503, fault, {"Retry-After": str(RETRY_SECONDS)}) from error


def refuse_certificate(visit: Visit, reason: str) -> Refused:
    """Count and word a refusal for the certificate's sake."""
    metrics.FAILED_AUTHENTICATIONS.labels(source=visit.source, by="certificate").inc()
    return Refused(403, Fault("ACCESS_DENIED", reason))


def require_json(environment: Environment) -> None:
    """Refuse (415) what does not say it is plain JSON."""
    kind = str(environment.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.count("/") == 1 and kind.endswith("+json")):
        raise Refused(415, Fault("UNSUPPORTED_MEDIA_TYPE", "the content type must be application/json"))
    if str(environment.get("HTTP_CONTENT_ENCODING", "")).strip().lower() not in {"", "identity"}:
        raise Refused(415, Fault("UNSUPPORTED_MEDIA_TYPE", "an encoded (compressed) body is not accepted"))


def read_body(environment: Environment, limit: int) -> bytes:
    """Read the whole body. Refuses one of more than `limit` bytes (413) before reading it all, and a cut one (400)."""
    declared = int(environment.get("CONTENT_LENGTH") or 0)
    body = b""
    if declared <= limit:
        try:
            with gevent.Timeout(BODY_SECONDS, TimeoutError):
                body = environment["wsgi.input"].read(limit + 1)
        except TimeoutError as error:
            raise Refused(408, Fault("REQUEST_TIMEOUT", "the body did not arrive in time", recoverable=True)) from error
        except (OSError, ParseException) as error:
            raise Refused(400, Fault("INCOMPLETE_BODY", "the body is cut or badly framed", recoverable=True)) from error
    if max(declared, len(body)) > limit:
        raise Refused(413, Fault("PAYLOAD_TOO_LARGE", f"the body is larger than {limit} bytes"))
    if len(body) < declared:
        raise Refused(400, Fault("INCOMPLETE_BODY", "the body is shorter than its Content-Length", recoverable=True))
    return body
