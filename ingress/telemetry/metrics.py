"""What the door counts. Written per worker process, added up by the platform listener (PROMETHEUS_MULTIPROC_DIR).

docs/metrics.md describes each.
"""

from collections.abc import Iterable

from schemas.telemetry.counting import count_together

count_together()  # before the first metric is made

from prometheus_client import Counter, Gauge, Histogram  # noqa: E402 - after the line above

from schemas.telemetry.sightings import EXPIRY, LAST_SEEN  # noqa: E402 - as above

REQUESTS = Counter("alert_intake_requests_total", "Requests by source and outcome", ["source", "outcome", "status"])
ACKNOWLEDGEMENT_SECONDS = Histogram(
    "alert_intake_acknowledgement_seconds",
    "From the first look at a push to its acknowledgement",
    ["source"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
FAILED_AUTHENTICATIONS = Counter(
    "alert_intake_failed_authentications_total", "Pushes refused for their certificate or header", ["source", "by"]
)
REFUSED_CONNECTIONS = Counter(
    "alert_intake_refused_connections_total", "Connections that never became one, by reason", ["reason"]
)
CLIENT_CERTIFICATE_SEEN = Gauge(
    LAST_SEEN, "When a push with a client certificate was last let in", ["source"], multiprocess_mode="max"
)
CLIENT_CERTIFICATE_EXPIRY = Gauge(
    EXPIRY, "When the client certificate seen last expires", ["source"], multiprocess_mode="mostrecent"
)

WAYS = ("certificate", "header")  # by which an authentication fails
FAILURES = ("500", "503")  # an error of the door's own; a journal that cannot keep the push


def begin_at_zero(sources: Iterable[str]) -> None:
    """Make the counters that alert rules look at, so that the first failure is an increase and not a new series.

    Acknowledgements, too: after the first of them a sender is not locked out.
    """
    REQUESTS.labels(source="", outcome="failed", status="500")  # before it is known whose request it is
    for source in sources:
        for status in FAILURES:
            REQUESTS.labels(source=source, outcome="failed", status=status)
        for way in WAYS:
            FAILED_AUTHENTICATIONS.labels(source=source, by=way)
        REQUESTS.labels(source=source, outcome="acknowledged", status="200")
        ACKNOWLEDGEMENT_SECONDS.labels(source=source)
