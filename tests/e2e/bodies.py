"""Bodies as senders push them: the reseller's sample as documented, and alerts of both formats with their own ids."""

import secrets
from pathlib import Path
from typing import Any

AS_DOCUMENTED = (Path(__file__).parent / "samples" / "reseller-alert-created.as-documented.txt").read_bytes()
DOCUMENTED_ID = b"1MICKEYMOUSE123"
BARE_COMPANY = b"d2599442-95fa-49bf-a0a2-086362ef2283"
WITH_QUOTES = AS_DOCUMENTED.replace(BARE_COMPANY, b'"' + BARE_COMPANY + b'"')


def fresh_id() -> str:
    """Return an alert id of the usual 25 characters that was never used before."""
    return "T" + secrets.token_hex(12).upper()


def with_id(body: bytes, alert_id: str) -> bytes:
    """Return the documented body as that of another alert."""
    return body.replace(DOCUMENTED_ID, alert_id.encode())


def dispute(alert_id: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of any type
    """Return a customer dispute in the names that Ethoca uses now."""
    return {
        "alertId": alert_id,
        "alertType": "CUSTOMERDISPUTE",
        "alertTimestamp": "2026-11-20T17:11:05.000Z",
        "issuer": "EXAMPLE BANK",
        "cardBin": "555555",
        "cardLast4": "4444",
        "arn": "75186056123456789012345",
        "transactionTimestamp": "2026-11-19T09:30:00-05:00",
        "merchantDescriptor": "EXAMPLE*STORE 8005550100",
        "memberId": 4567,
        "mcc": "5732",
        "amount": {"value": 125.40, "currencyCode": "USD"},
        "transactionType": "eCommerce",
        "initiatedBy": "cardholder",
        "is3DSecure": "no",
        "authCode": "735364",
        "transactionId": "MCC0987654321",
        "chargebackReasonCode": "4853",
    } | fields


def legacy_fraud(alert_id: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of any type
    """Return a confirmed fraud in the older names, with its card number in clear."""
    return {
        "EthocaID": alert_id,
        "Type": "issuer_alert",
        "AlertTimestamp": "2026-11-20T12:11:05.000",
        "Age": "31",
        "CardNumber": "4111111111111111",
        "ARN": "24186056123456789012346",
        "MerchantDescriptor": "EXAMPLE*STORE 8005550100",
        "MemberID": 4567,
        "Amount": "89.990",
        "Currency": "USD",
        "TransactionType": "eCommerce",
    } | fields


def webhook(alert_id: str, event: str, updated_at: str | None, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a reseller's webhook about an Ethoca alert."""
    payload = {
        "id": "5e287b34-9c0b-430c-95ad-08a44c17de9a",
        "providerId": alert_id,
        "provider": "ETHOCA",
        "type": "ETHOCA_CONFIRMED_FRAUD",
        "status": "OPEN" if event == "alert.created" else "RESOLVED",
        "amount": "352.99",
        "currency": "USD",
        "merchantId": "456789",
        "updatedAt": updated_at,
    }
    return {"event": event, "timestamp": "2026-11-01T00:00:00Z", "payload": payload | fields}
