"""Transport: the adapter by which `requests` delivers, with connections of ours beneath it.

It is used without a session, which would look for proxies, passwords, cookies and redirects at each delivery: here are
none. It connects through the guard, verifies by one TLS context, and reads of an answer no more than is of use. All
threads share it: a connection that is not in use serves whoever needs its host next, so that there are never more of a
host than deliveries to it at once.
"""

from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict

from schemas.settings.forwarding import Forwarding
from workers.outgoing.addresses import Reach
from workers.outgoing.guard import Resolve, resolve_name
from workers.outgoing.pools import make_pool_classes, make_tls_context

MOST_HOSTS = 1000  # whose connections are kept open for the next delivery
MOST_ROUTES = 10_000
ANSWER_READ = 4096  # bytes of an answer that are read before the connection is given up


class GuardedAdapter(HTTPAdapter):
    """Connections to receivers: guarded, kept open between deliveries. `resolve` stands in for the system's resolver.

    The hooks that it overrides are those that requests has for it. Every connection is verified, whoever
    asks for what.
    """

    def __init__(self, settings: Forwarding, resolve: Resolve = resolve_name) -> None:
        self.settings = settings
        self.resolve = resolve
        # URL -> the connections to its host, and what is asked of it: parsing URLs would be a tenth of the cost.
        self.routes: dict[str, tuple[urllib3.HTTPConnectionPool, str]] = {}
        super().__init__(MOST_HOSTS, settings.concurrency, max_retries=urllib3.Retry(False))

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **_unused: Any) -> None:  # noqa: ANN401 - requests' own signature
        """Make the pools, which are empty."""
        self.poolmanager = urllib3.PoolManager(
            connections, maxsize=maxsize, block=block, ssl_context=make_tls_context(self.settings)
        )
        self.poolmanager.pool_classes_by_scheme = make_pool_classes(Reach.read(self.settings), self.resolve)

    def find_route(self, url: str) -> tuple[urllib3.HTTPConnectionPool, str]:
        """Return the connections for a URL, and its path and query."""
        route = self.routes.get(url)
        if route is None:
            parts = urlsplit(url)
            target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
            route = self.poolmanager.connection_from_url(url), target
            if len(self.routes) >= MOST_ROUTES:
                self.routes.clear()
            self.routes[url] = route
        return route

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: object,  # noqa: ARG002 - requests' own signature
        proxies: object = None,  # noqa: ARG002 - likewise
        cert: object = None,  # noqa: ARG002 - likewise
    ) -> urllib3.HTTPConnectionPool:
        """Return the connections for a request."""
        return self.find_route(request.url or "")[0]

    def request_url(self, request: requests.PreparedRequest, proxies: object) -> str:  # noqa: ARG002 - requests' own
        """Return what a request asks of its host."""
        return self.find_route(request.url or "")[1]

    def cert_verify(self, conn: object, url: object, verify: object, cert: object) -> None:
        """Leave the connections as they are: their TLS context verifies."""

    def build_response(self, req: requests.PreparedRequest, resp: urllib3.BaseHTTPResponse) -> requests.Response:
        """Read what is of use of an answer and let go of its connection. Nothing is left on it to be read later."""
        try:
            beginning = read_beginning(resp)
        finally:
            resp.release_conn()
        response = requests.Response()
        response.status_code = resp.status
        response.headers = CaseInsensitiveDict(resp.headers)
        response.url = req.url or ""
        response.request = req
        response.raw = BytesIO(beginning)
        return response


def read_beginning(response: urllib3.BaseHTTPResponse) -> bytes:
    """Read what of an answer's body is of use. Its status is known: a body that does not come does not matter.

    A connection on which more would follow is closed, as is one that broke.
    """
    content = b""
    try:
        while len(content) < ANSWER_READ and not has_sequel(response):
            part = response.read1(ANSWER_READ - len(content))
            if not part:
                return content
            content += part
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        pass
    response.close()
    return content


def has_sequel(response: urllib3.BaseHTTPResponse) -> bool:
    """Say whether something follows that nobody reads, and that would be read as the next answer.

    That is the final answer behind an interim one (1xx, RFC 9110 15.2; http.client itself passes over 100 alone), and
    a body that is announced to an answer that has none (204, 8.6).
    """
    announced = response.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in response.headers
    return response.status < HTTPStatus.OK or (response.status == HTTPStatus.NO_CONTENT and announced)
