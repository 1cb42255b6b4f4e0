"""The keys of what downstream services receive, and which of them a subscription may leave out."""

from collections.abc import Iterable

# Keys of the payload whose value is a fact, and which.
FACT_KEYS = {
    "alertTimeStamp": "alerted_at",
    "enrollmentId": "enrollment_id",
    "companyId": "company_id",
    "issuer": "issuer",
    "cardBin": "card_bin",
    "cardLastFour": "card_last4",
    "cardExpirationDate": "card_expiration_date",
    "acquirerBin": "acquirer_bin",
    "statusCode": "status_code",
    "ruleType": "rule_type",
    "ruleName": "rule_name",
    "installmentNumber": "installment_number",
    "pricingTier": "pricing_tier",
    "transactionTimeStamp": "transaction_at",
    "merchantDescriptor": "merchant_descriptor",
    "ethocaMergantId": "ethoca_merchant_id",
    "merchantId": "merchant_id",
    "merchantOrderId": "merchant_order_id",
    "merchantName": "merchant_name",
    "partnerId": "partner_id",
    "partnerName": "partner_name",
    "clientName": "client_name",
    "caid": "caid",
    "mcc": "mcc",
    "currency": "currency",
    "transactionType": "transaction_type",
    "initiatedBy": "initiated_by",
    "authCode": "auth_code",
    "source": "alert_source",
    "reasonCode": "reason_code",
    "acquirerReferenceNumber": "arn",
    "transactionId": "transaction_id",
    "chargebackCurrency": "chargeback_currency",
    "paymentType": "payment_type",
    "outcome": "outcome",
}

# Keys of the payload that are no fact.
OWN_KEYS = frozenset({
    "id", "providerId", "provider", "type", "status", "descriptorContact", "amount", "chargebackAmount", "createdAt",
    "updatedAt", "hoursLeft",
})  # fmt: skip
ENRICHMENT = "enrichment"
# What of `enrichment` says the same as a key of the payload, or lets it be reckoned: it goes with that key.
SAID_AGAIN = {
    "alertTimeStamp": ("respond_by",),
    "amount": ("amount_minor",),
    "cardBin": ("card_network",),
    "hoursLeft": ("respond_by",),
    "merchantDescriptor": ("merchant",),
    "merchantId": ("merchant",),
    "merchantName": ("merchant",),
    "type": ("kind",),
}


def check_leave_out(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of what a subscription does not get, each once. Raises ValueError for one that is none.

    A key of the payload but `id`; `enrichment`, all of it; `enrichment.NAME`, one thing of it.
    """
    wanted = tuple(dict.fromkeys(names))
    for name in wanted:
        inner = name.removeprefix(ENRICHMENT + ".")
        known = name in FACT_KEYS or name in OWN_KEYS or name == ENRICHMENT or (inner != name and inner != "")
        if not known or name == "id":
            raise ValueError(f"leave out {name!r}: a key of the payload but id, enrichment, or enrichment.NAME")
    return wanted
