"""What downstream services receive has the reseller's documented shape."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.alert.alert import Alert
from schemas.downstream.forwarded import forward_body
from schemas.downstream.payload_keys import check_leave_out
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
from workers.enrichers.enricher import Rules
from workers.enrichers.local import enrich_alert

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


def test_what_is_left_out_is_null_and_said_nowhere_else() -> None:
    """A key that a subscription does not get stays, as null, and what would tell it goes from the enrichment."""
    alert = alert_of(read_body(sample("ethoca-push-customer-dispute.json"), ETHOCA))
    enrich_alert(alert, Rules())
    left_out = check_leave_out(["amount", "cardBin", "enrichment.member_id"])
    body = json.loads(forward_body(alert, "alert.created", OCCURRED_AT, NOW, left_out))
    assert len(body["payload"]) == 46
    assert (body["payload"]["amount"], body["payload"]["cardBin"]) == (None, None)
    assert not {"amount_minor", "card_network", "member_id"} & set(body["enrichment"])
    assert body["payload"]["currency"] == "USD"
    nothing = json.loads(forward_body(alert, "alert.created", OCCURRED_AT, NOW, ["enrichment"]))
    assert nothing["enrichment"] == {}


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("merchantId", "merchant"),
        ("merchantName", "merchant"),
        ("merchantDescriptor", "merchant"),
        ("alertTimeStamp", "respond_by"),
        ("hoursLeft", "respond_by"),
        ("type", "kind"),
    ],
)
def test_enrichment_does_not_tell_what_is_left_out(name: str, gone: str) -> None:
    """Whose alert it is stands in the merchant that was found as well, and the deadline is reckoned from its time."""
    merchant = {"merchant_id": "456789", "name": "Example Store", "matched_by": "mid"}
    alert = alert_of(read_body(sample("ethoca-push-customer-dispute.json"), ETHOCA), enrichment={"merchant": merchant})
    alert.respond_by = "2026-11-21T17:11:05.000Z"
    assert forwarded(alert)["enrichment"][gone] is not None
    body = json.loads(forward_body(alert, "alert.created", OCCURRED_AT, NOW, check_leave_out([name])))
    assert body["payload"][name] is None
    assert gone not in body["enrichment"]


def test_only_what_there_is_can_be_left_out() -> None:
    """A misspelt name would let through what was to be withheld; the id is what a consumer knows an alert by."""
    assert check_leave_out(["amount", "amount"]) == ("amount",)
    for name in ("ammount", "id", "enrichment.", ""):
        with pytest.raises(ValueError, match="leave out"):
            check_leave_out([name])


def test_every_key_of_the_payload_can_be_left_out_but_the_id() -> None:
    """All 46 are known by name."""
    documented = set(json.loads(sample("reseller-alert-created.json"))["payload"])
    assert set(check_leave_out(documented - {"id"})) == documented - {"id"}


def test_contact_goes_out_to_who_gets_it() -> None:
    """The contact stands where the documented webhook has it."""
    alert = alert_of(read_ethoca({}))
    body = json.loads(forward_body(alert, "alert.created", OCCURRED_AT, NOW, (), "+1 555 0100"))
    assert body["payload"]["descriptorContact"] == "+1 555 0100"
