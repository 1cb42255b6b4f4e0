"""Send: one signed POST to one downstream service. It never raises: whatever happens is an Answer.

Signed by the Standard Webhooks specification: `webhook-id` (the outbox item's id, the same over all attempts),
`webhook-timestamp` and `webhook-signature` over "id.timestamp.body".
"""

import time
from datetime import UTC, datetime

import requests
from requests.auth import HTTPBasicAuth
from standardwebhooks import Webhook

from schemas.alert import Alert, iso_time
from schemas.configuration import Forwarding
from schemas.forwarded import forward_body
from schemas.keyring import Keyring, Tampered, UnknownKey
from schemas.subscription import Credentials, unseal_credentials
from workers.delivery.guard import AddressRefused
from workers.delivery.lease import Item
from workers.delivery.policy import Answer

ANSWER_LIMIT = 4096  # bytes of an answer that are read before the connection is given up


def deliver_item(session: requests.Session, item: Item, keyring: Keyring, settings: Forwarding) -> Answer:
    """Make one attempt to deliver an item."""
    began = time.perf_counter()
    try:
        credentials = unseal_credentials(item.sealed, item.subscription_id, keyring)
    except (UnknownKey, Tampered) as error:
        return Answer(None, milliseconds_since(began), f"the subscription's credentials cannot be opened: {error}")
    body = forward_body(Alert.from_row(item.alert), item.event, iso_time(item.occurred_at))
    try:
        with session.post(
            item.url,
            data=body,
            headers=signed_headers(item, body, credentials),
            auth=HTTPBasicAuth(*credentials.basic) if credentials.basic else None,
            timeout=settings.timeout,
            allow_redirects=False,
            stream=True,
        ) as response:
            response.raw.read(ANSWER_LIMIT, decode_content=False)
            return Answer(
                response.status_code, milliseconds_since(began), retry_after=response.headers.get("Retry-After")
            )
    except AddressRefused as error:
        return Answer(None, milliseconds_since(began), str(error))
    except (requests.RequestException, OSError, ValueError) as error:
        # Only the kind of the error: its text quotes the URL, which may hold a token.
        return Answer(None, milliseconds_since(began), type(error).__name__)


def signed_headers(item: Item, body: bytes, credentials: Credentials) -> dict[str, str]:
    """Return the headers of a delivery: the subscription's own, and the signature."""
    moment = datetime.now(UTC)
    signature = Webhook(credentials.secret).sign(item.outbox_id, moment, body.decode())
    return {
        **credentials.headers,
        "Content-Type": "application/json",
        "User-Agent": "alert-intake",
        "webhook-id": item.outbox_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": signature,
    }


def milliseconds_since(began: float) -> float:
    """Return the milliseconds since `began`, a reading of `time.perf_counter`."""
    return (time.perf_counter() - began) * 1000
