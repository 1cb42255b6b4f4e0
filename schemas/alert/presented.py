"""An alert as the read API shows it."""

from typing import Any

from schemas.alert.alert import DETAILS, Alert
from schemas.alert.money import print_amount

# The currency of each amount among the facts.
CURRENCIES = {"amount": "currency", "chargeback_amount": "chargeback_currency"}


def present_alert(alert: Alert) -> dict[str, Any]:
    """Return the alert as JSON. Every key is always there; what is not known is null.

    The token by which a card is known again stays inside: it serves to find related alerts, which `related` names.
    """
    facts = alert.facts
    return {
        "id": alert.id,
        "provider": alert.network,
        "provider_alert_id": alert.provider_alert_id,
        "source": alert.source,
        "kind": alert.kind,
        "status": alert.status,
        "revision": alert.revision,
        "duplicates": alert.duplicates,
        "repaired": alert.repaired,
        "amount": present_amount(alert, "amount"),
        "currency": facts.get("currency"),
        "issuer": facts.get("issuer"),
        "card": {"bin": facts.get("card_bin"), "last4": facts.get("card_last4"), "network": alert.card_network},
        "transaction": {
            "at": facts.get("transaction_at"),
            "id": facts.get("transaction_id"),
            "arn": facts.get("arn"),
            "auth_code": facts.get("auth_code"),
            "type": facts.get("transaction_type"),
        },
        "merchant": {
            "id": facts.get("merchant_id"),
            "name": facts.get("merchant_name"),
            "descriptor": facts.get("merchant_descriptor"),
            "mcc": facts.get("mcc"),
            "order_id": facts.get("merchant_order_id"),
        },
        "alerted_at": facts.get("alerted_at"),
        "received_at": alert.received_at,
        "respond_by": alert.respond_by,
        "related": alert.related,
        "enrichment": alert.enrichment,
        "details": {name: facts.get(name) for name in DETAILS}
        | {"chargeback_amount": present_amount(alert, "chargeback_amount")},
        "problems": alert.problems,
    }


def present_amount(alert: Alert, name: str) -> str | None:
    """Return an amount of the alert with its currency's own decimals, or None when it has none."""
    amount = alert.facts.get(name)
    return None if amount is None else print_amount(amount, alert.facts.get(CURRENCIES[name]))
