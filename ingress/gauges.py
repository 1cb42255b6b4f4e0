"""What the platform's listener measures when it is asked: the journal as the door sees it, and the certificates."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import redis
from cryptography import x509
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ingress.readiness import describe_readiness
from ingress.trust import read_authorities, read_revocations
from schemas.configuration import Journal, Tls
from schemas.journal import JournalUnavailable, list_limits, measure_journal
from schemas.secret import ConfigurationError


class JournalGauges(Collector):
    """How full the journal is, and whether a push would be acknowledged."""

    def __init__(self, client: redis.Redis, settings: Journal) -> None:
        self._client = client
        self._settings = settings

    def collect(self) -> Iterator[Metric]:
        """Measure; without an answer say only that there was none."""
        state = None
        with suppress(JournalUnavailable):
            state = measure_journal(self._client, self._settings)
        yield gauge("journal_reachable", "1 while the journal answers", int(state is not None))
        # One that does not answer is waited for once: whoever scrapes waits, too.
        ready = state is not None and describe_readiness(self._client, self._settings)["ready"]
        yield gauge("door_ready", "1 while a push would be acknowledged", int(ready))
        if state is None:
            return
        yield gauge("journal_entries", "Entries that are not settled yet", state.entries)
        yield gauge("journal_used_bytes", "Memory used by the journal's Redis", state.used)
        yield gauge("journal_limit_bytes", "Its maxmemory, 0 for none", state.limit)
        limits = [limit.used / limit.refuses_at for limit in list_limits(state, self._settings) if limit.refuses_at]
        text = "How far the journal is filled to where the door refuses, by the limit that is nearest"
        yield gauge("journal_filled_ratio", text, max(limits, default=0.0))


class CertificateGauges(Collector):
    """Until when the door's files of trust are good. A file that cannot be read is at its end: 0."""

    def __init__(self, tls: Tls | None) -> None:
        self._files: dict[str, Callable[[], datetime | None]] = {}
        if tls is not None:
            self._files = {
                "certificate": lambda: first_end(x509.load_pem_x509_certificates(Path(tls.certificate).read_bytes())),
                "client_ca": lambda: first_end(read_authorities(tls.client_ca)),
            }
            if tls.crl is not None:
                crl = tls.crl
                self._files["crl"] = lambda: first_update(read_revocations(crl))

    def collect(self) -> Iterator[Metric]:
        """Read the files anew."""
        text = "When the first certificate of the file expires, or the revocation list is due"
        family = GaugeMetricFamily("alert_intake_certificate_expiry_timestamp_seconds", text, labels=("file",))
        for name, read in self._files.items():
            try:
                end = read()
            except (ConfigurationError, OSError, ValueError):
                family.add_metric([name], 0.0)
            else:
                if end is not None:
                    family.add_metric([name], end.timestamp())
        yield family


def first_end(certificates: list[x509.Certificate] | tuple[x509.Certificate, ...]) -> datetime:
    """Return when the first of the certificates expires. Raises ValueError when there is none."""
    return min(certificate.not_valid_after_utc for certificate in certificates)


def first_update(lists: tuple[x509.CertificateRevocationList, ...]) -> datetime | None:
    """Return when the first of the lists has to be replaced, None when none of them says."""
    ends = [one.next_update_utc for one in lists if one.next_update_utc is not None]
    return min(ends, default=None)


def gauge(name: str, text: str, value: float) -> Metric:
    """Return one measured value."""
    return GaugeMetricFamily(f"alert_intake_{name}", text, value)
