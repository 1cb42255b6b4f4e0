"""The door's Flask application: paths to sources, every answer in JSON, one log line per request."""

import time
from typing import Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from ingress import metrics
from ingress.acknowledge import Answer, Fault, Refused, error_envelope
from ingress.enqueue import Enqueuer
from ingress.identity import Certificate, Environment, Identify, peer_certificate
from ingress.log import open_log
from ingress.proxy import ProxiedCertificates
from ingress.receive import Reception, Visit
from ingress.settings import Admission, Settings, load_settings, stop_on_fault
from schemas.secret import ConfigurationError

# Reason codes of what is refused before a source is known.
CODES = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}


@stop_on_fault
def create_app() -> Flask:
    """Build the application from the environment. A fault of the configuration ends the process with one line."""
    settings = load_settings()
    try:
        enqueuer = Enqueuer(settings.journal_url, settings.configuration.journal, settings.keyring)
    except ValueError as error:
        raise ConfigurationError("JOURNAL_URL cannot be used: its host, port or options are malformed") from error
    proxied = follow_proxy(settings)
    reception = Reception(settings.configuration.door, choose_identify(proxied), enqueuer)
    return build_app(settings, reception, proxied)


def build_app(settings: Settings, reception: Reception, proxied: ProxiedCertificates | None = None) -> Flask:
    """Put the routes and the answers together."""
    app = Flask("ingress", static_folder=None)
    app.url_map.merge_slashes = False
    log = open_log()

    for path, admission in settings.paths.items():
        app.add_url_rule(
            path,
            path,
            view(admission, reception),
            methods=["POST"],
            provide_automatic_options=False,
            strict_slashes=True,
        )

    @app.before_request
    def begin() -> None:
        environment = request.environ
        g.visit = Visit(proxied.address(environment) if proxied else environment.get("REMOTE_ADDR", ""))

    @app.errorhandler(Refused)
    def refuse(refused: Refused) -> Response:
        g.visit.why = refused.fault.code
        return respond(refused.answer())

    @app.errorhandler(HTTPException)
    def refuse_plainly(error: HTTPException) -> Response:
        status = error.code or 500
        g.visit.why = CODES.get(status, "BAD_REQUEST")
        fault = Fault(g.visit.why, f"{error.name}: {request.method} is not answered at this path")
        methods = getattr(error, "valid_methods", None)
        return respond(
            Answer(status, error_envelope([fault]), {"Allow": ", ".join(sorted(methods))} if methods else {})
        )

    @app.errorhandler(Exception)
    def fail(error: Exception) -> Response:
        g.visit.why = f"{type(error).__name__} at {locate(error)}"
        fault = Fault("SYSTEM_ERROR", "an unexpected error; push the alert again", recoverable=True)
        return respond(Answer(500, error_envelope([fault])))

    @app.after_request
    def conclude(response: Response) -> Response:
        visit: Visit = g.visit
        response.headers["X-Request-Id"] = visit.request_id
        response.headers["Cache-Control"] = "no-store"
        seconds = time.perf_counter() - visit.started
        outcome = outcome_of(response.status_code, visit)
        if outcome == "acknowledged":
            metrics.ACKNOWLEDGEMENT_SECONDS.labels(source=visit.source).observe(seconds)
        metrics.REQUESTS.labels(source=visit.source or "", outcome=outcome, status=str(response.status_code)).inc()
        log.info(outcome, **describe(visit, response.status_code, seconds))
        return response

    return app


def view(admission: Admission, reception: Reception) -> Any:  # noqa: ANN401 - Flask's views are of any type
    """Return the view of one path."""

    def push() -> Response:
        return respond(reception.receive(admission, request.environ, g.visit))

    return push


def respond(answer: Answer) -> Response:
    """Turn an answer into Flask's."""
    return Response(answer.body, answer.status, dict(answer.headers), content_type="application/json")


def outcome_of(status: int, visit: Visit) -> str:
    """Name what became of a request: only an acknowledged or rejected one is in the journal for certain."""
    if status == 200:
        return "acknowledged"
    if visit.entry_id is not None and status == 400:
        return "rejected"
    return "failed" if status >= 500 else "refused"


def describe(visit: Visit, status: int, seconds: float) -> dict[str, Any]:
    """Return the fields of the log line: no body, no header, no alert id."""
    fields = {
        "request_id": visit.request_id,
        "source": visit.source,
        "status": status,
        "entry_id": visit.entry_id,
        "bytes": visit.size,
        "alerts": visit.alerts,
        "milliseconds": round(seconds * 1000, 3),
        "certificate": visit.certificate,
        "address": visit.address,
        "why": visit.why,
    }
    return {name: value for name, value in fields.items() if value is not None}


def locate(error: Exception) -> str:
    """Return the file and line where an exception was raised: its message might quote what must not be logged."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "unknown"
    return f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"


def follow_proxy(settings: Settings) -> ProxiedCertificates | None:
    """Return the proxy that hands certificates over, None when none does."""
    front = settings.configuration.door.front
    return None if front is None else ProxiedCertificates(front, settings.configuration.tls)


def choose_identify(proxied: ProxiedCertificates | None) -> Identify:
    """Decide where certificates come from: from the connection, or from the proxy if that is who connects."""
    if proxied is None:
        return peer_certificate

    def identify(environment: Environment) -> Certificate | None:
        return proxied.identify(environment) if proxied.speaks(environment) else peer_certificate(environment)

    return identify
