"""The platform's own listener, plain HTTP, never public: alive, ready, and what was counted."""

import os
from pathlib import Path

import orjson
import redis
from flask import Flask, Response, request
from prometheus_client import CONTENT_TYPE_LATEST
from werkzeug.exceptions import HTTPException

from ingress.respond import refuse_unrouted, respond
from ingress.settings import Settings, load_settings, stop_on_fault
from ingress.telemetry.gauges import CertificateGauges, JournalGauges
from ingress.telemetry.readiness import describe_door
from schemas.journal.append import connect_journal
from schemas.settings.secret import ConfigurationError
from schemas.telemetry.counting import FOLDER_VARIABLE, BuildInfo, show_counts


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
    named = os.environ.get(FOLDER_VARIABLE)
    folder = Path(named) if named else None
    measured = (
        JournalGauges(client, settings.configuration.journal, folder),
        CertificateGauges(settings.configuration.tls),
        BuildInfo("ingress"),
    )

    @app.get("/livez")
    def alive() -> Response:
        return Response(orjson.dumps({"alive": True}), content_type="application/json")

    @app.get("/readyz")
    def ready() -> Response:
        found = describe_door(client, settings.configuration.journal, folder)
        return Response(orjson.dumps(found), 200 if found["ready"] else 503, content_type="application/json")

    @app.get("/metrics")
    def metrics() -> Response:
        counted = show_counts(folder, *measured)
        return Response(counted, content_type=CONTENT_TYPE_LATEST)

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> Response:
        return respond(refuse_unrouted(error, request.method).answer())

    return app
