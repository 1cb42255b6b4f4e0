"""Sign: the headers by which a receiver knows where a delivery comes from.

Signed by the Standard Webhooks specification: `webhook-id` (the outbox item's id, the same over all attempts),
`webhook-timestamp` and `webhook-signature` over "id.timestamp.body", one for each secret that signs at present.
"""

import base64
from datetime import datetime
from functools import lru_cache

from standardwebhooks import Webhook

from schemas.downstream.subscription import Credentials, unseal_credentials
from schemas.keyring import Keyring


def signed_headers(webhook_id: str, moment: datetime, body: bytes, credentials: Credentials) -> dict[str, str]:
    """Return the headers of a delivery: the subscription's own, and a signature for each secret that signs."""
    text = body.decode()
    signatures = [
        read_secret(secret).sign(webhook_id, moment, text) for secret in credentials.signing_secrets(moment.timestamp())
    ]
    basic = {"Authorization": "Basic " + encode_basic(*credentials.basic)} if credentials.basic else {}
    return {
        **basic,
        **credentials.headers,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "User-Agent": "alert-intake",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def encode_basic(user: str, password: str) -> str:
    """Return the credentials of HTTP Basic (RFC 7617, in UTF-8)."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()


@lru_cache(maxsize=1024)
def open_credentials(keyring: Keyring, sealed: bytes, subscription_id: str) -> Credentials:
    """Open the credentials of a subscription, once for as long as they stay the same."""
    return unseal_credentials(sealed, subscription_id, keyring)


@lru_cache(maxsize=1024)
def read_secret(secret: str) -> Webhook:
    """Return the signer of a secret."""
    return Webhook(secret)
