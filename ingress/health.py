"""The platform's own listener, plain HTTP, never public: alive, ready, and what was counted."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import orjson
import redis
from flask import Flask, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from ingress.readiness import describe_readiness
from ingress.settings import Settings, load_settings, stop_on_fault
from schemas.configuration import Journal
from schemas.journal import JournalUnavailable, connect_journal, measure_journal
from schemas.secret import ConfigurationError


@stop_on_fault
def create_app() -> Flask:
    """Build the platform's application from the environment, as the door's is."""
    settings = load_settings()
    try:
        client = connect_journal(settings.journal_url, settings.configuration.journal.timeout)
    except ValueError as error:
        raise ConfigurationError("JOURNAL_URL cannot be used: its host, port or options are malformed") from error
    return build_app(settings, client)


def build_app(settings: Settings, client: redis.Redis) -> Flask:
    """Put the three pages together."""
    app = Flask("platform", static_folder=None)
    gauges = CollectorRegistry()
    gauges.register(JournalGauges(client, settings.configuration.journal))

    @app.get("/livez")
    def alive() -> Response:
        return Response(orjson.dumps({"alive": True}), content_type="application/json")

    @app.get("/readyz")
    def ready() -> Response:
        found = describe_readiness(client, settings.configuration.journal)
        return Response(orjson.dumps(found), 200 if found["ready"] else 503, content_type="application/json")

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(collect_counts() + generate_latest(gauges), content_type=CONTENT_TYPE_LATEST)

    return app


def collect_counts() -> bytes:
    """Add up what the door's worker processes counted; nothing when they count for themselves alone."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
    if not folder or not Path(folder).is_dir():
        return b""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]  # published without a type
    return generate_latest(registry)


class JournalGauges(Collector):
    """How full the journal is, measured when asked. Never kept in the folder of the door's counts."""

    def __init__(self, client: redis.Redis, settings: Journal) -> None:
        self._client = client
        self._settings = settings

    def collect(self) -> Iterator[Metric]:
        """Measure; without an answer say only that there was none."""
        state = None
        with suppress(JournalUnavailable):
            state = measure_journal(self._client, self._settings)
        yield gauge("reachable", "1 while the journal answers", int(state is not None))
        if state is not None:
            yield gauge("entries", "Entries that are not settled yet", state.entries)
            yield gauge("used_bytes", "Memory used by the journal's Redis", state.used)
            yield gauge("limit_bytes", "Its maxmemory, 0 for none", state.limit)


def gauge(name: str, text: str, value: int) -> Metric:
    """Return one measured value."""
    return GaugeMetricFamily(f"alert_intake_journal_{name}", text, value)
