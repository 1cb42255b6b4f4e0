"""What the workshop counts. Every label has few values: closed lists, configured names, or a bounded number of them.

Counted per process, added up by the worker's listener (workers.telemetry.exposition). docs/metrics.md describes each.
"""

from collections.abc import Iterable
from functools import lru_cache

from schemas.telemetry.counting import count_together
from workers.pool.metronome import SCHEDULE
from workers.telemetry.metrics_folder import choose_folder

choose_folder()
FOLDER = count_together()  # before the first metric is made

from prometheus_client import Counter, Histogram  # noqa: E402 - after the line above

QUICK = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)  # seconds
SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
WAITING = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60, 300, 1800, 7200, 86400)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)

TICKS = Counter("alert_intake_ticks_total", "Ticks that were worked on, by task and outcome", ["task", "outcome"])

BATCH_ENTRIES = Histogram("alert_intake_batch_entries", "Journal entries in a batch that was stored", buckets=SIZES)
BATCH_SECONDS = Histogram("alert_intake_batch_seconds", "From taking a batch to settling it", buckets=QUICK)
STATION_SECONDS = Histogram(
    "alert_intake_station_seconds", "What one station took for one batch", ["station"], buckets=QUICK
)
ENDINGS = Counter("alert_intake_endings_total", "Alerts of settled entries, by how they ended", ["ending"])
ALERTS = Counter("alert_intake_alerts_total", "New alerts stored, by network and kind", ["provider", "kind"])
REJECTIONS = Counter("alert_intake_rejections_total", "Rejections made, by reason", ["reason"])
RECLAIMED = Counter("alert_intake_reclaimed_entries_total", "Entries taken that had been handed out before")

ENRICHED = Counter("alert_intake_enrichments_total", "Rounds of remote enrichers, by what came of them", ["outcome"])
ENRICHED_SECONDS = Histogram(
    "alert_intake_enrichment_seconds", "What the remote enrichers took for one alert", buckets=SLOW
)
ENRICHER_FAILURES = Counter(
    "alert_intake_enricher_failures_total", "Enrichers that could not add what they should", ["enricher"]
)

DELIVERIES = Counter(
    "alert_intake_deliveries_total", "Attempts to deliver, by what followed from them", ["subscription", "outcome"]
)
DELIVERY_SECONDS = Histogram("alert_intake_delivery_seconds", "What one attempt took", ["subscription"], buckets=SLOW)
DELIVERY_LAG = Histogram(
    "alert_intake_delivery_lag_seconds", "From the event to its delivery", ["subscription"], buckets=WAITING
)
CIRCUIT = Counter(
    "alert_intake_subscription_turns_total", "Subscriptions tripped, resumed or paused", ["subscription", "turn"]
)

TASKS = tuple(SCHEDULE)
STATIONS = ("validate", "claim", "decide", "enrich", "link", "store", "announce", "commit", "settle")
ENDING_NAMES = ("stored", "updated", "duplicate", "superseded", "rejected")
REASONS = ("unreadable", "no_alert_id", "unknown_source", "unsealable", "poisoned", "unstorable")
LOCAL_ENRICHERS = ("card_network", "minor_units", "respond_by", "merchant")
DELIVERY_OUTCOMES = ("delivered", "postponed", "given_up", "paused")
TURNS = ("tripped", "resumed", "paused")
ENRICHMENT_OUTCOMES = ("enriched", "again", "given_up", "changed")


class Bounded:
    """Label values from outside: the first `most` of them by name, all further ones as "other"."""

    def __init__(self, most: int, known: Iterable[str] = ()) -> None:
        self._most = most
        self._known = set(known)

    def name(self, value: str) -> str:
        """Return the label value that stands for `value`."""
        if value not in self._known:
            if len(self._known) >= self._most:
                return "other"
            self._known.add(value)
        return value


PROVIDERS = Bounded(20, ("ethoca", "verifi"))
SUBSCRIPTIONS = Bounded(200)


def begin_at_zero() -> None:
    """Make the counters of closed lists, so that the first of a kind is an increase and not a new series."""
    for task in TASKS:
        for outcome in ("done", "failed"):
            TICKS.labels(task, outcome)
    for station in STATIONS:
        STATION_SECONDS.labels(station)
    for ending in ENDING_NAMES:
        ENDINGS.labels(ending)
    for reason in REASONS:
        REJECTIONS.labels(reason)
    for outcome in ENRICHMENT_OUTCOMES:
        ENRICHED.labels(outcome)
    for enricher in LOCAL_ENRICHERS:
        ENRICHER_FAILURES.labels(enricher)


@lru_cache(maxsize=1000)
def name_subscription(name: str) -> str:
    """Return the label of a subscription, its counters begun at zero, too."""
    label = SUBSCRIPTIONS.name(name)
    for outcome in DELIVERY_OUTCOMES:
        DELIVERIES.labels(label, outcome)
    for turn in TURNS:
        CIRCUIT.labels(label, turn)
    DELIVERY_LAG.labels(label)
    return label


def count_enrichment(outcome: str, failed: Iterable[str], seconds: float) -> None:
    """Count one round of the remote enrichers, and those of them that failed."""
    ENRICHED.labels(outcome).inc()
    ENRICHED_SECONDS.observe(seconds)
    for name in failed:
        ENRICHER_FAILURES.labels(name).inc()


begin_at_zero()
