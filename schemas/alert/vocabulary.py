"""One table for every documented spelling of a field, and one for every documented word of a value.

Sources: Ethoca's push prose and earlier published alert type, and the reseller's webhook. The names differ in casing
and in words; casing is folded by `plain_name`, words stand here. A new spelling is a line in a table, never code.
"""

from functools import lru_cache

# Fact or other part of a message -> its spellings in snake_case, the preferred one first. When a message spells one
# thing twice the earlier spelling wins, whatever their order in the body.
ALIASES: dict[str, tuple[str, ...]] = {
    # what is no fact of the alert but says how to read it
    "event": ("event",),
    "timestamp": ("timestamp",),
    "updated_at": ("updated_at",),
    "provider": ("provider",),
    "status": ("status", "alert_status"),
    # columns
    "issuer": ("issuer", "issuer_name"),
    "card_number": ("card_number",),
    "card_bin": ("card_bin", "bin"),
    "card_last4": ("card_last4", "card_last_four", "last4", "last_four"),
    "amount": ("amount", "transaction_amount"),
    "currency": ("currency", "transaction_currency", "currency_code"),
    "transaction_at": ("transaction_timestamp", "transaction_date", "transaction_time"),
    "transaction_id": ("transaction_id",),
    "transaction_type": ("transaction_type",),
    "arn": ("arn", "acquirer_reference_number"),
    "auth_code": ("auth_code", "authorization_code"),
    "merchant_id": ("merchant_id", "mid"),
    "merchant_name": ("merchant_name", "merchant_member_name"),
    "merchant_descriptor": ("merchant_descriptor", "descriptor"),
    "merchant_order_id": ("merchant_order_id", "order_id"),
    "mcc": ("mcc", "merchant_category_code"),
    "alerted_at": ("alert_timestamp", "alerted_at", "date_submitted"),
    # details
    "type": ("type", "alert_type"),
    "status_code": ("status_code",),
    "enrollment_id": ("enrollment_id",),
    "company_id": ("company_id",),
    "card_expiration_date": ("card_expiration_date",),
    "acquirer_bin": ("acquirer_bin",),
    "rule_type": ("rule_type",),
    "rule_name": ("rule_name",),
    "installment_number": ("installment_number",),
    "pricing_tier": ("pricing_tier",),
    "ethoca_merchant_id": ("ethoca_mergant_id", "ethoca_merchant_id"),
    "member_id": ("member_id", "merchant_member_id"),
    "partner_id": ("partner_id",),
    "partner_name": ("partner_name",),
    "client_name": ("client_name",),
    "caid": ("caid", "card_acceptor_id"),
    "initiated_by": ("initiated_by",),
    "is_3d_secure": ("is_3d_secure", "is_three_d_secure"),
    "alert_source": ("source", "alert_source"),
    "reason_code": ("reason_code", "chargeback_reason_code"),
    "chargeback_amount": ("chargeback_amount",),
    "chargeback_currency": ("chargeback_currency",),
    "payment_type": ("payment_type",),
    "outcome": ("outcome",),
}  # fmt: skip

# The parts of a money object, {"value": 125.40, "currencyCode": "USD"}.
MONEY_VALUE = ("value", "amount")
MONEY_CURRENCY = ("currencycode", "currency")
MONEY = {"amount": "currency", "chargeback_amount": "chargeback_currency"}

NETWORKS = ("ethoca", "verifi")

KINDS = {
    "confirmedfraud": "confirmed_fraud",
    "issueralert": "confirmed_fraud",
    "fraudreporteralert": "confirmed_fraud",
    "customerdispute": "customer_dispute",
    "customerdisputealert": "customer_dispute",
    "other": "other",
}
STATUSES = {
    "new": "new",
    "open": "open",
    "processing": "processing",
    "resolved": "resolved",
    "refunded": "refunded",
    "notfound": "not_found",
    "chargeback": "chargeback",
    "other": "other",
    "expired": "expired",
}
OPEN_STATUSES = frozenset({"new", "open", "processing"})
# With one of these, nothing more is awaited from the merchant.
CLOSED_STATUSES = frozenset({"resolved", "refunded", "not_found", "chargeback", "other", "expired"})
EVENTS = {"alertcreated": "alert.created", "alertresolved": "alert.resolved"}
TRANSACTION_TYPES = {"keyed": "keyed", "swiped": "swiped", "ecommerce": "eCommerce", "unknown": "unknown"}
INITIATORS = {"issuer": "issuer", "cardholder": "cardholder", "notavailable": "not_available", "na": "not_available"}
THREE_D_SECURE = {
    "yes": "yes", "y": "yes", "true": "yes", "1": "yes",
    "no": "no", "n": "no", "false": "no", "0": "no",
    "notavailable": "not_available", "na": "not_available", "unknown": "not_available",
}  # fmt: skip

LONGEST_NAME = 64


@lru_cache(maxsize=1024)
def plain_word(word: str) -> str:
    """Fold the spellings of a word: case, and everything but letters and digits. For short words: it remembers them."""
    return "".join(character for character in word.lower() if character.isalnum())


def kind_of(word: str) -> str | None:
    """Return the kind that a sender's type names, with or without the network before it; None when it is not known."""
    plain = plain_word(word[:LONGEST_NAME])
    for network in NETWORKS:
        plain = plain.removeprefix(network)
    return KINDS.get(plain)


def network_in(word: str) -> str | None:
    """Return the network whose name begins a sender's type (ETHOCA_CONFIRMED_FRAUD)."""
    plain = plain_word(word[:LONGEST_NAME])
    return next((network for network in NETWORKS if plain.startswith(network)), None)
