"""The way of a push through the door, on one screen."""

import gevent

from ingress.acknowledge import Answer, Fault, Refused, answer_push
from ingress.admissions import Admissions
from ingress.body import receive_body
from ingress.identity.certificate import Distrusted, Environment, Identify
from ingress.ids import look_at_ids
from ingress.journal.enqueue import Enqueuer
from ingress.limits.rates import FailedAuthentications, PushRates, Tallies, make_tallies
from ingress.settings import Admission
from ingress.telemetry import metrics
from ingress.telemetry.sightings import Sightings
from ingress.telemetry.tracing import PushTraces
from ingress.visit import Visit
from schemas.journal.append import JournalUnavailable
from schemas.journal.envelope import Envelope
from schemas.journal.room import JournalFull
from schemas.settings.door import Door

RETRY_SECONDS = 5
GUESS_SECONDS = 0.25  # how long whoever goes on guessing waits for each answer: so he gets little of the processor


class Reception:
    """Takes pushes. Holds what all of them share in one worker process; `tallies` are shared by all worker processes.

    Without `admissions` pins and credentials stay as they are, without `rates` there is no limit.
    """

    def __init__(
        self,
        door: Door,
        identify: Identify,
        enqueuer: Enqueuer,
        admissions: Admissions | None = None,
        rates: PushRates | None = None,
        tallies: Tallies | None = None,
    ) -> None:
        self._door = door
        self._identify = identify
        self._enqueuer = enqueuer
        self._admissions = admissions
        self._rates = rates
        self._sightings = Sightings()
        self._traces = PushTraces()
        self._failures = FailedAuthentications(door.failed_authentications_per_minute, tallies or make_tallies())

    def receive(self, admission: Admission, environment: Environment, visit: Visit) -> Answer:
        """Take one push to its source's path: check, make durable, answer. Raises Refused before anything is kept."""
        visit.source = admission.source.name
        if self._admissions is not None:
            admission = self._admissions.current(admission)
        self.require_certificate(admission, environment, visit)
        self.require_credentials(admission, environment, visit)
        self.require_rate(admission)
        body = receive_body(environment, self._door)
        look = look_at_ids(body, admission.source)
        visit.size, visit.alerts = len(body), len(look.ids)
        visit.entry_id = self.keep(
            Envelope(admission.source.name, body, visit.request_id, trace=self._traces.begin(visit))
        )
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
        self._sightings.note(admission.source.name, certificate)

    def require_credentials(self, admission: Admission, environment: Environment, visit: Visit) -> None:
        """Refuse (401) whoever has not one of the source's credentials; 429 from the configured rate on."""
        if admission.credentials.admit(environment):
            return
        metrics.FAILED_AUTHENTICATIONS.labels(source=admission.source.name, by="header").inc()
        wait = self._failures.count(visit.address)
        if wait is not None:
            gevent.sleep(GUESS_SECONDS)
            fault = Fault("TOO_MANY_FAILED_AUTHENTICATIONS", "too many failed authentications from this address", True)
            raise Refused(429, fault, {"Retry-After": str(int(wait) + 1)})
        fault = Fault("AUTHENTICATION_FAILURE", "the authentication header is missing or wrong")
        raise Refused(401, fault, {"WWW-Authenticate": admission.credentials.challenge})

    def require_rate(self, admission: Admission) -> None:
        """Refuse (429) what is more than the configured rates allow."""
        wait = None if self._rates is None else self._rates.count(admission.source.name)
        if wait is not None:
            fault = Fault("TOO_MANY_PUSHES", "more pushes than agreed; push the alert again later", recoverable=True)
            raise Refused(429, fault, {"Retry-After": str(int(wait) + 1)})

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
