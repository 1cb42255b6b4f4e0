"""What downstream services receive has the reseller's documented shape."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.alert import Alert
from schemas.forwarded import forward_body
from tests.unit.messages import (
    ETHOCA,
    KEYRING,
    RECEIVED_AT,
    RESELLER,
    alert_of,
    read_body,
    read_ethoca,
    read_reseller,
    sample,
)
from workers.enrich.local import enrich_alert
from workers.enrich.rules import Rules

NOW = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)
OCCURRED_AT = "2026-11-20T18:00:01.000Z"


def forwarded(alert: Alert) -> dict[str, Any]:
    """Return the body of a delivery, parsed."""
    body: dict[str, Any] = json.loads(forward_body(alert, "alert.created", OCCURRED_AT, NOW))
    return body


def test_reseller_sample_goes_out_as_it_came_in() -> None:
    """A consumer of the documented webhook gets the documented values: only ids, times and hours are ours."""
    came = json.loads(sample("reseller-alert-created.json"))["payload"]
    alert = alert_of(read_body(sample("reseller-alert-created.json"), RESELLER))
    enrich_alert(alert, Rules())
    payload = forwarded(alert)["payload"]
    assert {key for key in came if came[key] != payload[key]} == {"id", "createdAt", "updatedAt"}
    assert (payload["id"], payload["createdAt"], payload["updatedAt"]) == (alert.id, RECEIVED_AT, OCCURRED_AT)


@pytest.mark.parametrize("fields", [{}, {"type": "customerdispute_alert", "cardNumber": "4111111111111111"}])
def test_envelope_and_all_keys(fields: dict[str, Any]) -> None:
    """The payload has the 46 documented keys, no more and no less; what we add stands beside it."""
    documented = set(json.loads(sample("reseller-alert-created.json"))["payload"])
    body = forwarded(alert_of(read_ethoca(fields)))
    assert set(body) == {"event", "timestamp", "payload", "enrichment"}
    assert (body["event"], body["timestamp"]) == ("alert.created", OCCURRED_AT)
    assert set(body["payload"]) == documented
    assert len(documented) == 46


def test_ethoca_alert_in_the_reseller_s_words() -> None:
    """An alert of Ethoca's own door goes out under the reseller's names and types."""
    alert = alert_of(read_body(sample("ethoca-push-customer-dispute.json"), ETHOCA))
    enrich_alert(alert, Rules())
    body = forwarded(alert)
    payload = body["payload"]
    assert payload["provider"] == "ETHOCA"
    assert payload["providerId"] == "A4IM9K2MIYL9F2BPF9TWUIXTU"
    assert payload["type"] == "ETHOCA_CUSTOMER_DISPUTE"
    assert payload["status"] == "OPEN"
    assert payload["acquirerReferenceNumber"] == "75186056123456789012345"
    assert payload["reasonCode"] == "4853"
    assert payload["amount"] == "125.40"
    assert payload["hoursLeft"] == 22
    assert body["enrichment"] == {
        "kind": "customer_dispute",
        "source": "ethoca",
        "revision": 1,
        "duplicates": 0,
        "repaired": False,
        "card_network": "mastercard",
        "respond_by": "2026-11-21T17:11:05.000Z",
        "related": [],
        "member_id": "4567",
        "is_3d_secure": "no",
        "problems": 0,
        "amount_minor": 12540,
    }


@pytest.mark.parametrize(
    ("payload", "word"),
    [
        ({"type": "VERIFI_RDR", "provider": "VERIFI"}, "VERIFI_RDR"),
        ({"type": "issuer_alert", "provider": "ETHOCA"}, "ETHOCA_CONFIRMED_FRAUD"),
        ({"provider": "ETHOCA"}, "ETHOCA_OTHER"),
    ],
)
def test_type(payload: dict[str, Any], word: str) -> None:
    """A known kind goes out in the documented spelling, another in the sender's own word."""
    assert forwarded(alert_of(read_reseller(payload)))["payload"]["type"] == word


def test_status_in_the_documented_spelling() -> None:
    """NOTFOUND goes out as NOT_FOUND."""
    assert forwarded(alert_of(read_reseller({"status": "NOTFOUND"})))["payload"]["status"] == "NOT_FOUND"


@pytest.mark.parametrize(("respond_by", "hours"), [(None, None), (RECEIVED_AT, 0), ("2026-11-20T20:30:00.000Z", 2)])
def test_hours_left(respond_by: str | None, hours: int | None) -> None:
    """Hours left are whole, counted from the rendering, never below zero, and null without a deadline."""
    assert forwarded(alert_of(read_ethoca({}), respond_by=respond_by))["payload"]["hoursLeft"] == hours


def test_personal_fields_are_withheld() -> None:
    """The contact of the descriptor and the card's token do not go out."""
    alert = alert_of(read_reseller({"descriptorContact": "A PERSON", "cardNumber": "4111111111111111"}))
    body = forward_body(alert, "alert.created", OCCURRED_AT).decode()
    assert "PERSON" not in body
    assert KEYRING.card_token("4111111111111111").hex() not in body
    assert json.loads(body)["payload"]["descriptorContact"] is None
