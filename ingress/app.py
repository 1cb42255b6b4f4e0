"""The door's Flask application: paths to sources, every answer in JSON, one log line per request."""

from typing import Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from ingress.acknowledge import Answer, Fault, Refused, error_envelope
from ingress.identity.certificate import Certificate, Environment, Identify, peer_certificate
from ingress.inheritance import inherit
from ingress.journal.enqueue import Enqueuer
from ingress.limits.rates import PushRates, share_tallies
from ingress.receive import Reception
from ingress.respond import refuse_unrouted, respond
from ingress.settings import Admission, Settings, stop_on_fault
from ingress.shortcut import COMMON_HEADERS, VISIT, Shortcut, take_outcome
from ingress.telemetry.log import explain
from ingress.telemetry.metrics import begin_at_zero
from ingress.telemetry.record import Record
from ingress.trust.proxy import ProxiedCertificates
from ingress.visit import Visit
from schemas.settings.secret import ConfigurationError


@stop_on_fault
def create_app() -> Flask:
    """Build the application in a worker, or from the environment. A fault of it ends the process with one line."""
    inherited = inherit()
    settings, proxied = inherited.settings, inherited.proxied
    try:
        enqueuer = Enqueuer(settings.journal_url, settings.configuration.journal, settings.keyring)
    except ValueError as error:
        raise ConfigurationError("JOURNAL_URL cannot be used: its host, port or options are malformed") from error
    door, tallies = settings.configuration.door, share_tallies()
    rates = PushRates(door, settings.configuration.sources, tallies.pushes)
    reception = Reception(door, choose_identify(proxied), enqueuer, inherited.admissions, rates, tallies)
    return build_app(settings, reception, proxied)


def build_app(settings: Settings, reception: Reception, proxied: ProxiedCertificates | None = None) -> Flask:
    """Put the routes and the answers together."""
    app = Flask("ingress", static_folder=None)
    app.url_map.merge_slashes = False
    record = Record()
    begin_at_zero(source.name for source in settings.configuration.sources)

    for path, admission in settings.paths.items():
        app.add_url_rule(
            path,
            path,
            view(admission, reception),
            methods=["POST"],
            provide_automatic_options=False,
            strict_slashes=True,
        )

    def begin(environment: Environment) -> Visit:
        return Visit(proxied.address(environment) if proxied else environment.get("REMOTE_ADDR", ""))

    app.wsgi_app = Shortcut(app.wsgi_app, settings.paths, reception, begin, record)  # type: ignore[assignment]  # as Flask says it is done

    @app.before_request
    def find_visit() -> None:
        g.visit = request.environ[VISIT]

    @app.errorhandler(Refused)
    def refuse(refused: Refused) -> Response:
        g.visit.why = refused.fault.code
        return respond(refused.answer())

    @app.errorhandler(HTTPException)
    def refuse_plainly(error: HTTPException) -> Response:
        return refuse(refuse_unrouted(error, request.method))

    @app.errorhandler(Exception)
    def fail(error: Exception) -> Response:
        g.visit.why = explain(error)
        fault = Fault("SYSTEM_ERROR", "an unexpected error; push the alert again", recoverable=True)
        return respond(Answer(500, error_envelope([fault])))

    @app.after_request
    def conclude(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.visit.request_id
        response.headers.extend(COMMON_HEADERS)
        record.conclude(g.visit, response.status_code)
        return response

    return app


def view(admission: Admission, reception: Reception) -> Any:  # noqa: ANN401 - Flask's views are of any type
    """Return the view of one path."""

    def push() -> Response:
        received = take_outcome(request.environ)
        return respond(received or reception.receive(admission, request.environ, g.visit))

    return push


def choose_identify(proxied: ProxiedCertificates | None) -> Identify:
    """Decide where certificates come from: from the connection, or from the proxy if that is who connects."""
    if proxied is None:
        return peer_certificate

    def identify(environment: Environment) -> Certificate | None:
        return proxied.identify(environment) if proxied.speaks(environment) else peer_certificate(environment)

    return identify
