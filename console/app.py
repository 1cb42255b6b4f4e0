"""The console's web application: the API, its description, the sign-in, and the pages for people.

Started as ``gunicorn -c deploy/gunicorn.console.conf.py 'console.app:create_app()'``.
"""

import sys

from flask import Flask, Response

from console.access.admission import Admission
from console.access.digest import PURPOSE as TOKENS
from console.feed.feed import Feed
from console.logs import configure_logs
from console.metrics.page import create_metrics
from console.pages.certificates import Certificates
from console.pages.lookout import Lookout
from console.pages.page import create_page
from console.pages.window import Window
from console.pool import ReadPool
from console.unreachable import Unreachable
from console.web.admission import install_admission
from console.web.alerts import create_alerts_api
from console.web.api import answer
from console.web.deliveries import create_deliveries_api
from console.web.events import create_feed_api
from console.web.forgery import offer_fields
from console.web.headers import watch_requests
from console.web.openapi.document import describe_api
from console.web.operations import create_operations_api
from console.web.problem import answer_problems
from console.web.rejections import create_rejections_api
from console.web.session import PURPOSE as SESSIONS
from console.web.session import configure_sessions
from console.web.sign_in import create_sign_in, lead_to_sign_in
from console.web.subscriptions import create_subscriptions_api
from schemas.journal.append import connect_journal
from schemas.journal.redis_address import require_redis
from schemas.keyring import load_keyring
from schemas.settings.configuration import load_configuration, require_address
from schemas.settings.secret import ConfigurationError

CONNECTIONS = 8
JOURNAL_SECONDS = 5.0


def create_app() -> Flask:
    """Read the settings from the environment and return the application.

    Settings that cannot be used end the process with one line on stderr.
    """
    try:
        configure_logs()
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
    keyring = load_keyring(configuration.sealing)
    origin = configuration.console.origin
    https = origin is not None and origin.startswith("https://")
    app = Flask(__name__, static_folder="static")
    configure_sessions(app, keyring.derive_key(SESSIONS), https=https)
    install_admission(app, Admission(token, keyring.derive_key(TOKENS), pool), origin)
    offer_fields(app)
    app.extensions["pool"] = pool
    app.extensions["feed"] = feed = Feed(require_address("DATABASE_URL"))
    app.register_blueprint(create_alerts_api(configuration, pool, journal))
    app.register_blueprint(create_rejections_api(configuration, keyring, pool, journal))
    app.register_blueprint(create_subscriptions_api(configuration, keyring, pool))
    app.register_blueprint(create_deliveries_api(pool))
    app.register_blueprint(create_operations_api(pool))
    app.register_blueprint(create_feed_api(feed))
    app.register_blueprint(create_metrics(configuration.journal, pool))
    app.register_blueprint(create_sign_in())
    app.extensions["lookout"] = lookout = Lookout(configuration, pool, journal)
    certificates = Certificates(configuration.tls)
    app.register_blueprint(create_page(Window(configuration, keyring, pool, journal, lookout, certificates)))
    app.add_url_rule("/openapi.json", "openapi", lambda: answer(describe_api()))
    app.add_url_rule("/livez", "livez", lambda: Response("ok\n", content_type="text/plain; charset=utf-8"))
    answer_problems(app)
    lead_to_sign_in(app)
    watch_requests(app, https=https)
    return app
