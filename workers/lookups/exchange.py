"""Exchange: a look-up's question and answer, bounded in time and size however its service spends them.

Connections are those of deliveries: every wait, for a handshake, a header or a byte, gets what is left of the time for
the whole. But they go to any address, since the operator names the service and it mostly stands beside.
"""

import ssl
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from urllib3.util.ssl_ import create_urllib3_context

from schemas.settings.enrichers import Lookup
from schemas.settings.sources import Basic, Header
from workers.enrichers.additions import MOST_BYTES
from workers.lookups.asking import Refused
from workers.outgoing.addresses import Reach
from workers.outgoing.guard import resolve_name
from workers.outgoing.limit import LimitedTLS
from workers.outgoing.pools import make_pool_classes


class Session(requests.Session):
    """A session that knows nothing of the environment, and does not even look at where a redirect leads."""

    def __init__(self, adapter: HTTPAdapter) -> None:
        super().__init__()
        self.trust_env = False
        self.adapters.clear()
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - requests' own signature
        """Return none, whatever an answer says."""
        return None


class LimitedAdapter(HTTPAdapter):
    """Connections on which every wait ends with its exchange. To be used inside `limit_attempt` only."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **_unused: Any) -> None:  # noqa: ANN401 - requests' own signature
        """Make the pools, which are empty. By which authorities they verify says the session."""
        self.poolmanager = urllib3.PoolManager(
            connections, maxsize=maxsize, block=block, ssl_context=make_limited_context()
        )
        self.poolmanager.pool_classes_by_scheme = make_pool_classes(Reach(everywhere=True), resolve_name)


def make_limited_context() -> ssl.SSLContext:
    """Return a TLS context whose sockets keep to the limit."""
    context = create_urllib3_context()
    context.sslsocket_class = LimitedTLS
    return context


def open_session(lookup: Lookup, concurrency: int) -> requests.Session:
    """Return a session for look-ups: no proxies or credentials from the environment. Raises ConfigurationError.

    It asks for answers that are not compressed: of one that is, nobody knows how large it becomes.
    """
    session = Session(LimitedAdapter(pool_connections=1, pool_maxsize=concurrency))
    session.verify = lookup.service_ca or True
    session.headers.update(
        {
            "User-Agent": "alert-intake",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
    )
    match lookup.credential:
        case Basic(user, password):
            session.auth = HTTPBasicAuth(user, password.reveal(f"enrichment.lookups.{lookup.name}.credential"))
        case Header(name, value):
            session.headers[name] = value.reveal(f"enrichment.lookups.{lookup.name}.credential")
    return session


def read_body(response: requests.Response) -> bytes:
    """Read a whole body, piece by piece as it comes. Raises Refused when it is compressed or too long."""
    if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise Refused("an answer that is compressed")
    content = b""
    while len(content) <= MOST_BYTES:
        piece = response.raw.read1(MOST_BYTES + 1 - len(content), decode_content=False)
        if not piece:
            return content
        content += piece
    raise Refused(f"an answer of more than {MOST_BYTES} bytes")
