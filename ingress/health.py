"""The platform's own listener, plain HTTP, never public: alive, ready, and what was counted."""

import os
from pathlib import Path

import orjson
import redis
from flask import Flask, Response
from prometheus_client import CONTENT_TYPE_LATEST

from ingress.gauges import CertificateGauges, JournalGauges
from ingress.readiness import describe_readiness
from ingress.settings import Settings, load_settings, stop_on_fault
from schemas.counting import FOLDER_VARIABLE, BuildInfo, show_counts
from schemas.journal import connect_journal
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
    folder = os.environ.get(FOLDER_VARIABLE)
    measured = (
        JournalGauges(client, settings.configuration.journal),
        CertificateGauges(settings.configuration.tls),
        BuildInfo("ingress"),
    )

    @app.get("/livez")
    def alive() -> Response:
        return Response(orjson.dumps({"alive": True}), content_type="application/json")

    @app.get("/readyz")
    def ready() -> Response:
        found = describe_readiness(client, settings.configuration.journal)
        return Response(orjson.dumps(found), 200 if found["ready"] else 503, content_type="application/json")

    @app.get("/metrics")
    def metrics() -> Response:
        counted = show_counts(Path(folder) if folder else None, *measured)
        return Response(counted, content_type=CONTENT_TYPE_LATEST)

    return app
