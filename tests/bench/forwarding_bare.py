"""The same alert that is forwarded, signed and posted in a bare loop of `requests.Session.post`."""

import time
from datetime import UTC, datetime

import requests
from standardwebhooks import Webhook
from uuid_utils.compat import uuid7

from schemas.alert.alert import Alert
from schemas.downstream.forwarded import forward_body
from schemas.downstream.subscription import generate_secret

DELIVERIES = 3000
SECRET = generate_secret()
FACTS = {
    "issuer": "EXAMPLE BANK", "card_bin": "555555", "card_last4": "4444", "amount": "125.40", "currency": "USD",
    "transaction_at": "2026-11-20T17:11:05.000Z", "arn": "75186056123456789012345", "merchant_id": "M1",
    "merchant_descriptor": "EXAMPLE*SHOP", "mcc": "5999", "type": "customerdispute_alert",
}  # fmt: skip
ALERT = Alert(
    str(uuid7()), "ethoca", "A1", "ethoca", "customer_dispute", "open", "2026-11-20T17:11:05.000Z", facts=FACTS
)


def post_bare(receiver: str) -> float:
    """Sign and post as many bodies in a bare loop, and return how many a second."""
    body = forward_body(ALERT, "alert.created", "2026-11-20T18:00:01.000Z")
    signer, text = Webhook(SECRET), body.decode()
    began = time.perf_counter()
    with requests.Session() as session:
        session.trust_env = False
        for _ in range(DELIVERIES):
            webhook_id, moment = str(uuid7()), datetime.now(UTC)
            headers = {
                "Content-Type": "application/json",
                "webhook-id": webhook_id,
                "webhook-timestamp": str(int(moment.timestamp())),
                "webhook-signature": signer.sign(webhook_id, moment, text),
            }
            session.post(f"{receiver}/take", data=body, headers=headers, timeout=10).raise_for_status()
    return DELIVERIES / (time.perf_counter() - began)
