"""The client certificate that was last seen at each source: how the door's metrics tell it, and how to read that again.

The door writes them, `doctor` reads them at the platform's listener. One value for each source, whatever comes along.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families

LAST_SEEN = "alert_intake_client_certificate_last_seen_timestamp_seconds"
EXPIRY = "alert_intake_client_certificate_expiry_timestamp_seconds"


@dataclass(frozen=True, slots=True)
class Sighting:
    """When a source last pushed with a certificate, and until when that certificate is good."""

    source: str
    seen_at: datetime
    expires_at: datetime


def read_sightings(metrics: str) -> list[Sighting]:
    """Read them out of the text of ``/metrics``, by source."""
    values: dict[str, dict[str, float]] = {LAST_SEEN: {}, EXPIRY: {}}
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.name in values and "source" in sample.labels:
                values[sample.name][sample.labels["source"]] = sample.value
    return [
        Sighting(source, datetime.fromtimestamp(seen, UTC), datetime.fromtimestamp(values[EXPIRY][source], UTC))
        for source, seen in sorted(values[LAST_SEEN].items())
        if source in values[EXPIRY]
    ]
