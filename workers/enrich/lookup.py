"""The order look-up: one POST that says what is known of the transaction, answered with the order.

The contract is in docs/enrichers.md.

status                                   meaning
2xx with {"order": {...} or null}        the answer, null: there is no such order
404                                      there is no such order
408, 425, 429, 5xx, no answer at all     not now: asked again
everything else                          refused: asking again would get the same
"""

import time
from typing import Any

import orjson
import requests
from requests.auth import HTTPBasicAuth

from schemas.alert import Alert
from schemas.enrichers import Lookup
from schemas.presented import present_alert
from schemas.sources import Basic, Header
from workers.enrich.additions import MOST_BYTES
from workers.enrich.asking import Refused, Unavailable

AGAIN = frozenset({408, 425, 429})
# What the order depends on, of an alert as the read API shows it; and what says which alert asks.
TRANSACTION = ("amount", "currency", "card", "transaction", "merchant")
ALERT = ("id", "provider", "provider_alert_id", "kind", "status", "alerted_at")


def open_session(lookup: Lookup, concurrency: int) -> requests.Session:
    """Return a session for look-ups: no proxies or credentials from the environment. Raises ConfigurationError."""
    session = requests.Session()
    session.trust_env = False
    session.verify = lookup.service_ca or True
    adapter = requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=concurrency)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.headers["User-Agent"] = "alert-intake"
    match lookup.credential:
        case Basic(user, password):
            session.auth = HTTPBasicAuth(user, password.reveal(f"enrichment.lookups.{lookup.name}.credential"))
        case Header(name, value):
            session.headers[name] = value.reveal(f"enrichment.lookups.{lookup.name}.credential")
    return session


def describe_transaction(alert: Alert) -> dict[str, Any]:
    """Return what is known of the transaction: the same for every alert of it, and so what an answer is kept under."""
    presented = present_alert(alert)
    return {name: presented[name] for name in TRANSACTION}


def look_up_order(session: requests.Session, lookup: Lookup, alert: Alert) -> dict[str, Any]:
    """Ask for the order. Raises Unavailable or Refused, neither of which quotes the URL or the answer."""
    presented = present_alert(alert)
    question = {"alert": {name: presented[name] for name in (*ALERT, *TRANSACTION)}}
    until = time.monotonic() + 2 * lookup.timeout
    try:
        with session.post(
            lookup.url,
            data=orjson.dumps(question),
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            timeout=lookup.timeout,
            allow_redirects=False,
            stream=True,
        ) as response:
            status = response.status_code
            if status in AGAIN or status >= 500:
                raise Unavailable(f"status {status}")
            if status == 404:
                return {"order": None}
            if not 200 <= status < 300:
                raise Refused(f"status {status}")
            return read_answer(read_body(response, until))
    except (requests.RequestException, OSError) as error:
        raise Unavailable(type(error).__name__) from error


def read_body(response: requests.Response, until: float) -> bytes:
    """Read a whole body. Raises Refused when it is too long, Unavailable when it is too slow."""
    content = b""
    for piece in response.iter_content(None):
        content += piece
        if len(content) > MOST_BYTES:
            raise Refused(f"an answer of more than {MOST_BYTES} bytes")
        if time.monotonic() > until:
            raise Unavailable("the answer takes too long")
    return content


def read_answer(body: bytes) -> dict[str, Any]:
    """Return the answer. Raises Refused unless it is as agreed."""
    try:
        answer = orjson.loads(body)
    except ValueError as error:
        raise Refused("the answer is not JSON") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("order", ...), dict | None):
        raise Refused('the answer is not {"order": an object or null}')
    return answer
