"""What is told of every request when its answer stands: one log line and two counts."""

import time
from typing import TYPE_CHECKING, Any

from ingress.telemetry import metrics
from ingress.telemetry.log import open_request_log
from ingress.telemetry.tracing import end_trace
from ingress.visit import Visit

if TYPE_CHECKING:
    from prometheus_client import Counter, Histogram


class Record:
    """Tells of requests. The labelled counts are looked up once: most requests have the same labels."""

    def __init__(self) -> None:
        self._tell = open_request_log()
        self._requests: dict[tuple[str, str, int], Counter] = {}
        self._seconds: dict[str, Histogram] = {}

    def conclude(self, visit: Visit, status: int) -> None:
        """Count and log a request, before its answer leaves: so no acknowledgement is without its line."""
        seconds = time.perf_counter() - visit.started
        outcome = outcome_of(status, visit)
        source = visit.source or ""
        if outcome == "acknowledged":
            histogram = self._seconds.get(source)
            if histogram is None:
                histogram = self._seconds[source] = metrics.ACKNOWLEDGEMENT_SECONDS.labels(source=source)
            histogram.observe(seconds)
        counter = self._requests.get((source, outcome, status))
        if counter is None:
            counter = metrics.REQUESTS.labels(source=source, outcome=outcome, status=str(status))
            self._requests[source, outcome, status] = counter
        counter.inc()
        self._tell(outcome, describe(visit, status, seconds))
        end_trace(visit, status)


def outcome_of(status: int, visit: Visit) -> str:
    """Name what became of a request: only an acknowledged or rejected one is in the journal for certain."""
    if status == 200:
        return "acknowledged"
    if visit.entry_id is not None and status == 400:
        return "rejected"
    return "failed" if status >= 500 else "refused"


def describe(visit: Visit, status: int, seconds: float) -> dict[str, Any]:
    """Return the fields of the log line: no body, no header, no alert id."""
    fields = {
        "request_id": visit.request_id,
        "source": visit.source,
        "status": status,
        "entry_id": visit.entry_id,
        "bytes": visit.size,
        "alerts": visit.alerts,
        "milliseconds": round(seconds * 1000, 3),
        "certificate": visit.certificate,
        "address": visit.address,
        "why": visit.why,
    }
    return {name: value for name, value in fields.items() if value is not None}
