"""The console's web application: the read API, its description, and a first page for people.

Started as ``gunicorn -c deploy/gunicorn.console.conf.py 'console.app:create_app()'``.
"""

import sys
import time
from typing import Any

import structlog
from flask import Flask, Response, g, request

from console.feed.feed import Feed
from console.logs import configure_logs
from console.pages.page import create_page
from console.pool import ReadPool
from console.unreachable import Unreachable
from console.web.alerts import answer, create_api
from console.web.events import create_feed_api
from console.web.openapi import describe_api
from console.web.problem import answer_problems
from console.web.rejections import create_rejections_api
from console.web.subscriptions import create_subscriptions_api
from schemas.configuration import load_configuration, require_address
from schemas.journal import connect_journal
from schemas.keyring import load_keyring
from schemas.redis_address import require_redis
from schemas.secret import ConfigurationError

CONNECTIONS = 8
JOURNAL_SECONDS = 5.0
# Nothing is loaded from elsewhere, nothing is run, nobody may frame it, and no answer is kept by anyone.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

log = structlog.get_logger()


def create_app() -> Flask:
    """Read the settings from the environment and return the application.

    Settings that cannot be used end the process with one line on stderr.
    """
    configure_logs()
    try:
        return build_app()
    except (ConfigurationError, Unreachable) as error:
        sys.exit(f"alert-intake console: {error}")


def build_app() -> Flask:
    """Return the application. Raises ConfigurationError or Unreachable. Connects to nothing yet."""
    configuration = load_configuration()
    if configuration.console is None:
        raise ConfigurationError('[console] is missing in the configuration: token = {env = "..."} or {file = "..."}')
    token = configuration.console.token.reveal("console.token")
    pool = ReadPool(require_address("DATABASE_URL"), CONNECTIONS)
    try:
        journal = connect_journal(require_redis("JOURNAL_URL"), JOURNAL_SECONDS)
    except ValueError:
        raise Unreachable("JOURNAL_URL is no Redis address (redis://user:password@host:port/0)") from None
    app = Flask(__name__, static_folder="static")
    app.extensions["pool"] = pool
    app.extensions["feed"] = feed = Feed(require_address("DATABASE_URL"))
    app.register_blueprint(create_api(configuration, token, pool, journal))
    keyring = load_keyring(configuration.sealing)
    app.register_blueprint(create_rejections_api(configuration, keyring, token, pool, journal))
    app.register_blueprint(create_feed_api(token, feed))
    app.register_blueprint(create_subscriptions_api(configuration, keyring, token, pool))
    app.register_blueprint(create_page(configuration, token, pool, journal))
    app.add_url_rule("/openapi.json", "openapi", lambda: answer(describe_api()))
    app.add_url_rule("/livez", "livez", lambda: Response("ok\n", content_type="text/plain; charset=utf-8"))
    answer_problems(app)
    watch_requests(app)
    return app


def watch_requests(app: Flask) -> None:
    """Give every answer its security headers, and log one line a request, without its query."""

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def finish(response: Response) -> Response:
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        facts: dict[str, Any] = {"route": str(request.url_rule or ""), "method": request.method}
        milliseconds = round((time.perf_counter() - g.began) * 1000, 1)
        log.info("answered", status=response.status_code, ms=milliseconds, **facts)
        return response
