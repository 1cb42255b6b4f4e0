"""The platform listener's worker: what it cannot read is answered in the door's envelope, and quoted nowhere."""

from collections.abc import Mapping

from ingress.acknowledge import Fault, error_envelope
from ingress.telemetry.log import open_log
from schemas.listener.thread_worker import DiscreetWorker
from schemas.listener.unreadable import Verdict

HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}


class PlatformWorker(DiscreetWorker):
    """Serves `/livez`, `/readyz` and `/metrics`, to those who take their answers at once."""

    TAKE_SECONDS = 5.0

    def present(self, verdict: Verdict) -> tuple[Mapping[str, str], bytes]:
        """Return the error envelope."""
        description = "the request cannot be read" if verdict.status < 500 else "an unexpected error"
        return HEADERS, error_envelope([Fault(verdict.code, description, recoverable=verdict.status >= 500)])

    def note(self, verdict: Verdict, address: str) -> None:
        """Write a line as the door does, with `listener` to tell them apart."""
        outcome = "refused" if verdict.status < 500 else "failed"
        open_log().info(outcome, listener="platform", status=verdict.status, address=address, why=verdict.why)
