"""Remember which client certificate was last seen at each source, so that one that ends soon is noticed in time."""

import time

from ingress.identity.certificate import Certificate
from ingress.telemetry import metrics

AGAIN_SECONDS = 5.0


class Sightings:
    """Writes the two values of each source, seldom: a push pays for a look at the clock."""

    def __init__(self) -> None:
        self._written: dict[str, tuple[str, float]] = {}

    def note(self, source: str, certificate: Certificate) -> None:
        """Note the certificate of a push that was let in."""
        now = time.monotonic()
        fingerprint, written_at = self._written.get(source, ("", 0.0))
        if fingerprint == certificate.fingerprint and now - written_at < AGAIN_SECONDS:
            return
        self._written[source] = certificate.fingerprint, now
        metrics.CLIENT_CERTIFICATE_SEEN.labels(source=source).set_to_current_time()
        metrics.CLIENT_CERTIFICATE_EXPIRY.labels(source=source).set(certificate.not_after.timestamp())
