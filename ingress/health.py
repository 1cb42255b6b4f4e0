"""The platform's own listener, plain HTTP, never public: alive, ready, and what was counted."""

import os
from pathlib import Path

import orjson
import redis
from flask import Flask, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from ingress.settings import Settings, load_settings, stop_on_fault
from schemas.configuration import Journal
from schemas.journal import JournalState, JournalUnavailable, check_room, connect_journal, measure_journal
from schemas.secret import ConfigurationError


@stop_on_fault
def create_app() -> Flask:
    """Build the platform's application from the environment, as the door's is."""
    settings = load_settings()
    try:
        client = connect_journal(settings.journal_url, settings.configuration.journal.timeout)
    except ValueError as error:
        raise ConfigurationError("JOURNAL_URL is no Redis address such as redis://host:6379/0") from error
    return build_app(settings, client)


def build_app(settings: Settings, client: redis.Redis) -> Flask:
    """Put the three pages together."""
    app = Flask("platform", static_folder=None)

    @app.get("/livez")
    def alive() -> Response:
        return Response(orjson.dumps({"alive": True}), content_type="application/json")

    @app.get("/readyz")
    def ready() -> Response:
        reasons = find_obstacles(client, settings.configuration.journal)
        body = orjson.dumps({"ready": not reasons, "why": reasons})
        return Response(body, 503 if reasons else 200, content_type="application/json")

    @app.get("/metrics")
    def metrics() -> Response:
        body = collect_counts() + measure_gauges(client, settings.configuration.journal)
        return Response(body, content_type=CONTENT_TYPE_LATEST)

    return app


def find_obstacles(client: redis.Redis, settings: Journal) -> list[str]:
    """Return why a push would be refused now, an empty list when it would be acknowledged.

    Durability is asked for the way a push proves it: WAITAOF is an error where the append-only file is off.
    """
    try:
        state = measure_journal(client, settings)
        check_room(state, settings)
        client.waitaof(1, 0, int(settings.timeout * 1000))
        persistence = client.info("persistence")
    except JournalUnavailable as error:
        return [str(error)]
    except (redis.RedisError, OSError) as error:
        return [f"the journal is not durable: {error}"]
    if persistence.get("aof_last_write_status") != "ok":
        return ["the journal cannot write its append-only file"]
    return []


def collect_counts() -> bytes:
    """Add up what the door's worker processes counted; nothing when they count for themselves alone."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
    if not folder or not Path(folder).is_dir():
        return b""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]  # published without a type
    return generate_latest(registry)


def measure_gauges(client: redis.Redis, settings: Journal) -> bytes:
    """Return how full the journal is; without an answer only that it is unreachable."""
    registry = CollectorRegistry()
    reachable = Gauge("alert_intake_journal_reachable", "1 while the journal answers", registry=registry)
    try:
        state: JournalState = measure_journal(client, settings)
    except JournalUnavailable:
        return generate_latest(registry)
    reachable.set(1)
    for name, text, value in (
        ("entries", "Entries that are not settled yet", state.entries),
        ("used_bytes", "Memory used by the journal's Redis", state.used),
        ("limit_bytes", "Its maxmemory, 0 for none", state.limit),
    ):
        Gauge(f"alert_intake_journal_{name}", text, registry=registry).set(value)
    return generate_latest(registry)
