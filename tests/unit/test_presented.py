"""The JSON of an alert in the read API."""

from schemas.alert.alert import Alert
from schemas.alert.presented import present_alert
from tests.unit.messages import ETHOCA, RECEIVED_AT, RESELLER, alert_of, read_body, read_ethoca, sample
from workers.enrichers.enricher import Rules
from workers.enrichers.local import enrich_alert


def test_alert_as_documented() -> None:
    """The Ethoca sample is presented with every documented key, nested where the interface nests them."""
    alert = alert_of(read_body(sample("ethoca-push-customer-dispute.json"), ETHOCA), related=["other"], duplicates=2)
    enrich_alert(alert, Rules())
    assert present_alert(alert) == {
        "id": "019aa000-0000-7000-8000-000000000001",
        "provider": "ethoca",
        "provider_alert_id": "A4IM9K2MIYL9F2BPF9TWUIXTU",
        "source": "ethoca",
        "kind": "customer_dispute",
        "status": "open",
        "revision": 1,
        "duplicates": 2,
        "repaired": False,
        "amount": "125.40",
        "currency": "USD",
        "issuer": "EXAMPLE BANK",
        "card": {"bin": "555555", "last4": "4444", "network": "mastercard"},
        "transaction": {
            "at": "2026-11-19T14:30:00.000Z",
            "id": "MCC0987654321",
            "arn": "75186056123456789012345",
            "auth_code": "735364",
            "type": "eCommerce",
        },
        "merchant": {
            "id": None,
            "name": None,
            "descriptor": "EXAMPLE*STORE 8005550100",
            "mcc": "5732",
            "order_id": None,
        },
        "alerted_at": "2026-11-20T17:11:05.000Z",
        "received_at": RECEIVED_AT,
        "respond_by": "2026-11-21T17:11:05.000Z",
        "related": ["other"],
        "enrichment": {"amount_minor": 12540},
        "details": {
            "type": "CUSTOMERDISPUTE",
            "status_code": None,
            "enrollment_id": None,
            "company_id": None,
            "card_expiration_date": None,
            "acquirer_bin": None,
            "rule_type": None,
            "rule_name": None,
            "installment_number": None,
            "pricing_tier": None,
            "ethoca_merchant_id": None,
            "member_id": "4567",
            "partner_id": None,
            "partner_name": None,
            "client_name": None,
            "caid": None,
            "initiated_by": "cardholder",
            "is_3d_secure": "no",
            "alert_source": None,
            "reason_code": "4853",
            "chargeback_amount": None,
            "chargeback_currency": None,
            "payment_type": None,
            "outcome": None,
        },
        "problems": [],
    }


def test_amounts_have_the_decimals_of_their_currency() -> None:
    """Money is printed with its own currency's decimals; without a currency as it was sent."""
    fields = {"amount": "0.340", "currency": "USD", "chargebackAmount": "100.00", "chargebackCurrency": "JPY"}
    shown = present_alert(alert_of(read_ethoca(fields)))
    assert (shown["amount"], shown["details"]["chargeback_amount"]) == ("0.34", "100")
    assert present_alert(alert_of(read_ethoca({"amount": "89.990"})))["amount"] == "89.990"


def test_card_token_stays_inside() -> None:
    """Nothing of a card is shown but BIN and last four."""
    alert = alert_of(read_body(sample("ethoca-push-legacy-names.json"), ETHOCA))
    assert alert.facts["card_token"] not in repr(present_alert(alert))


def test_alert_read_from_its_row_is_presented_alike() -> None:
    """What is stored and read again looks as before."""
    alert = alert_of(read_body(sample("reseller-alert-created.json"), RESELLER))
    enrich_alert(alert, Rules())
    assert present_alert(Alert.from_row(alert.to_row())) == present_alert(alert)
