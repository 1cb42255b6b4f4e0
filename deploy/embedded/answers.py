"""How one sees from outside that a program of the local stack works."""

import http.client
import ssl

from celery import Celery

from deploy.embedded.certificate_files import DevelopmentCertificates
from schemas.journal.redis_client import describe_broker

PROBE_SECONDS = 2.0


def mutual_tls(certificates: DevelopmentCertificates) -> ssl.SSLContext:
    """Return a context that knows the door and shows it the development client certificate."""
    context = ssl.create_default_context(cafile=str(certificates.authority.certificate))
    context.load_cert_chain(certificates.client.certificate, certificates.client.key)
    return context


def answers_http(port: int, path: str, tls: ssl.SSLContext | None = None, wanted: int | None = None) -> bool:
    """Tell whether an HTTP server answers, with the status `wanted` or any at all."""
    if tls is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_SECONDS)
    else:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=PROBE_SECONDS, context=tls)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return wanted is None or status == wanted


def answers_ping(broker_url: str, node: str) -> bool:
    """Tell whether a Celery worker answers."""
    address, sentinels = describe_broker(broker_url)
    with Celery(broker=address, set_as_current=False) as app:
        app.conf.broker_transport_options = sentinels
        return bool(app.control.ping(destination=[node], timeout=1.0))
