"""What the platform's listener measures when it is asked: the journal as the door sees it, and the certificates."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import redis
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ingress.telemetry.readiness import describe_door
from schemas.journal.append import JournalUnavailable
from schemas.journal.room import list_limits, measure_journal
from schemas.settings.certificates import read_expiries
from schemas.settings.configuration import Tls
from schemas.settings.journal import Journal


class JournalGauges(Collector):
    """How full the journal is, and whether a push would be acknowledged."""

    def __init__(self, client: redis.Redis, settings: Journal, folder: Path | None) -> None:
        self._client = client
        self._settings = settings
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Measure; without an answer say only that there was none."""
        state = None
        with suppress(JournalUnavailable):
            state = measure_journal(self._client, self._settings)
        yield gauge("journal_reachable", "1 while the journal answers", int(state is not None))
        # One that does not answer is waited for once: whoever scrapes waits, too.
        ready = state is not None and describe_door(self._client, self._settings, self._folder)["ready"]
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
        self._tls = tls

    def collect(self) -> Iterator[Metric]:
        """Read the files anew."""
        text = "When the first certificate of the file expires, or the revocation list is due"
        family = GaugeMetricFamily("alert_intake_certificate_expiry_timestamp_seconds", text, labels=("file",))
        for expiry in read_expiries(self._tls) if self._tls else ():
            if expiry.fault is not None:
                family.add_metric([expiry.file], 0.0)
            elif expiry.ends is not None:
                family.add_metric([expiry.file], expiry.ends.timestamp())
        yield family


def gauge(name: str, text: str, value: float) -> Metric:
    """Return one measured value."""
    return GaugeMetricFamily(f"alert_intake_{name}", text, value)
