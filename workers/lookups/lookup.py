"""The order look-up: one POST that says what is known of the transaction, answered with the order.

The contract is in docs/enrichers.md.

status                                   meaning
2xx with {"order": {...} or null}        the answer, null: there is no such order
404                                      there is no such order
408, 425, 429, 5xx, no answer at all     not now: asked again
everything else                          refused: asking again would get the same
"""

from typing import Any

import orjson
import requests
import urllib3

from schemas.alert.alert import Alert
from schemas.alert.presented import present_alert
from schemas.settings.enrichers import Lookup
from workers.intake.transactions import transaction_keys
from workers.lookups.asking import Refused, Unavailable
from workers.lookups.exchange import read_body
from workers.outgoing.limit import limit_attempt

AGAIN = frozenset({408, 425, 429})
# What the order depends on, of an alert as the read API shows it; and what says which alert asks.
TRANSACTION = ("amount", "currency", "card", "transaction", "merchant")
ALERT = ("id", "provider", "provider_alert_id", "kind", "status", "alerted_at")
DIGITS_BUT_ZERO = frozenset("123456789")


def name_subject(alert: Alert) -> bytes:
    """Return what an answer is kept under: all that is known of the transaction, whichever alert speaks of it.

    Where that does not tell it from another the alert stands for itself: the answer is good for its own events alone.
    Two purchases of one amount have different orders, and the wrong one invites a wrong refund.
    """
    presented = present_alert(alert)
    known = [presented[name] for name in TRANSACTION]
    return orjson.dumps(known if names_transaction(alert) else [alert.id, *known])


def names_transaction(alert: Alert) -> bool:
    """Say whether what is known of the transaction tells it from every other.

    An id that has no digit but 0 ("N/A", "000") may be a placeholder of the sender's; transaction_keys passes over
    those of an ARN.
    """
    ids = (alert.facts.get("transaction_id", ""), alert.facts.get("merchant_order_id", ""))
    return any(set(own) & DIGITS_BUT_ZERO for own in ids) or bool(transaction_keys(alert))


def look_up_order(session: requests.Session, lookup: Lookup, alert: Alert) -> dict[str, Any]:
    """Ask for the order. Raises Unavailable or Refused, neither of which quotes the URL or the answer."""
    presented = present_alert(alert)
    question = {"alert": {name: presented[name] for name in (*ALERT, *TRANSACTION)}}
    try:
        with (
            limit_attempt(lookup.timeout),
            session.post(
                lookup.url, data=orjson.dumps(question), timeout=lookup.timeout, allow_redirects=False, stream=True
            ) as response,
        ):
            status = response.status_code
            if status in AGAIN or status >= 500:
                raise Unavailable(f"status {status}")
            if status == 404:
                return {"order": None}
            if not 200 <= status < 300:
                raise Refused(f"status {status}")
            return read_answer(read_body(response))
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise Unavailable(type(error).__name__) from error


def read_answer(body: bytes) -> dict[str, Any]:
    """Return the answer. Raises Refused unless it is as agreed."""
    try:
        answer = orjson.loads(body)
    except ValueError as error:
        raise Refused("the answer is not JSON") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("order", ...), dict | None):
        raise Refused('the answer is not {"order": an object or null}')
    return answer
