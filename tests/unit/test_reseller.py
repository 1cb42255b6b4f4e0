"""Alerts as a reseller's webhook passes them on."""

import json
from typing import Any

import msgspec
import pytest

from schemas.alert.content import content_of
from schemas.formats import reseller
from schemas.formats.document import NotAnAlert
from tests.unit.messages import KEYRING, RESELLER, listed, read_body, read_reseller, sample

DOCUMENTED = "reseller-alert-created.as-documented.txt"
QUOTED = "reseller-alert-created.json"
FACTS = {
    "issuer": "CARD_ISSUER",
    "card_bin": "800012",
    "card_last4": "1224",
    "amount": "352.99",
    "currency": "USD",
    "transaction_at": "2015-02-28T04:33:04.328Z",
    "transaction_type": "eCommerce",
    "auth_code": "73536582",
    "merchant_id": "456789",
    "merchant_name": "ABC ONLINE",
    "merchant_descriptor": "MINNIE MOUSE STORE",
    "alerted_at": "2015-02-27T04:33:04.328Z",
    "type": "ETHOCA_CONFIRMED_FRAUD",
    "enrollment_id": "b52fd403-54f6-4a82-8bc5-516221115276",
    "company_id": "d2599442-95fa-49bf-a0a2-086362ef2283",
    "ethoca_merchant_id": '{"Merchant2","98765"}',
    "initiated_by": "issuer",
}


@pytest.mark.parametrize(("name", "repaired"), [(DOCUMENTED, True), (QUOTED, False)])
def test_sample(name: str, repaired: bool) -> None:
    """The body exactly as documented is read whole, marked as repaired; with quotes it says the same, not repaired."""
    message = read_body(sample(name), RESELLER)
    assert message.problems == ()
    assert (message.network, message.provider_alert_id) == ("ethoca", "1MICKEYMOUSE123")
    assert (message.kind, message.status, message.event) == ("confirmed_fraud", "open", "alert.created")
    assert message.sent_at == "2024-12-31T09:23:14.096Z"
    assert not message.own_door
    assert message.repaired is repaired
    assert message.facts == FACTS


def test_both_samples_have_the_same_content() -> None:
    """The repaired body and the quoted one are duplicates of each other."""
    assert content_of(read_body(sample(DOCUMENTED), RESELLER)) == content_of(read_body(sample(QUOTED), RESELLER))


@pytest.mark.parametrize(
    ("payload", "envelope"),
    [
        ({"id": "00000000-0000-4000-8000-000000000000"}, {}), ({"hoursLeft": 7}, {}), ({"age": "7"}, {}),
        ({"createdAt": "2026-01-01T00:00:00Z"}, {}), ({"updatedAt": "2026-01-01T00:00:00Z"}, {}),
        ({}, {"timestamp": "2026-01-01T00:00:00Z"}), ({"amount": 352.990}, {}), ({"unknown": {"a": [1]}}, {}),
        ({"descriptorContact": "A PERSON"}, {}), ({"timestamp": "2026-01-01T00:00:00Z"}, {}),
    ],
)  # fmt: skip
def test_what_differs_on_every_retry_is_no_content(payload: dict[str, Any], envelope: dict[str, Any]) -> None:
    """The platform's id, hours left and all times of sending leave the content as it is; so do unknown fields."""
    body: dict[str, Any] = json.loads(sample(QUOTED))
    again = body | envelope | {"payload": body["payload"] | payload}
    assert content_of(read_body(json.dumps(again).encode(), RESELLER)) == content_of(
        read_body(sample(QUOTED), RESELLER)
    )


@pytest.mark.parametrize("payload", [{"status": "RESOLVED"}, {"amount": "352.98"}, {"outcome": "STOPPED"}])
def test_what_is_new_is_another_content(payload: dict[str, Any]) -> None:
    """A status, an amount or an outcome makes another content, and so does another event."""
    created = content_of(read_reseller({}))
    assert content_of(read_reseller(payload)) != created
    assert content_of(read_reseller({}, event="alert.resolved")) != created


@pytest.mark.parametrize(
    ("payload", "source_network", "network"),
    [
        ({"provider": "VERIFI"}, None, "verifi"),
        ({"provider": "Ethoca", "type": "VERIFI_CUSTOMER_DISPUTE"}, None, "ethoca"),
        ({"type": "ETHOCA_CUSTOMER_DISPUTE"}, "verifi", "ethoca"),
        ({"type": "CUSTOMER_DISPUTE"}, "VERIFI", "verifi"),
        ({"type": "CUSTOMER_DISPUTE"}, None, "unknown"),
        ({"provider": ""}, None, "unknown"),
    ],
)
def test_network(payload: dict[str, Any], source_network: str | None, network: str) -> None:
    """The provider names the network, else the type does, else the source; else it is unknown."""
    source = msgspec.structs.replace(RESELLER, network=source_network)
    message = read_reseller(payload, source)
    assert message.network == network
    assert message.problems == ()


def test_unknown_provider_is_kept_and_marked() -> None:
    """An unknown provider is a network all the same, listed."""
    message = read_reseller({"provider": "NEWNET"})
    assert message.network == "newnet"
    assert listed(message) == {"provider": ("NEWNET", "not a known word")}


@pytest.mark.parametrize("provider", [["ETHOCA"], True, "x" * 65])
def test_unreadable_provider(provider: object) -> None:
    """A provider that is no word is listed, and the type tells the network."""
    message = read_reseller({"provider": provider, "type": "ETHOCA_CONFIRMED_FRAUD"})
    if provider is not True:
        assert message.network == "ethoca"
    assert list(listed(message)) == ["provider"]


@pytest.mark.parametrize(
    ("event", "status", "expected", "marked"),
    [
        ("alert.created", "OPEN", "open", False),
        ("alert.created", None, None, False),
        ("alert.resolved", None, "resolved", False),
        ("alert.resolved", "REFUNDED", "refunded", False),
        ("alert.resolved", "NOTFOUND", "not_found", False),
        ("alert.resolved", "NEW", "resolved", True),
        ("alert.resolved", "OPEN", "resolved", True),
        ("alert.resolved", "PROCESSING", "resolved", True),
        ("ALERT_RESOLVED", None, "resolved", False),
        (None, "OPEN", "open", False),
    ],
)
def test_status_of_an_event(event: str | None, status: str | None, expected: str | None, marked: bool) -> None:
    """What is announced as resolved is resolved, and that the payload still says open is listed."""
    message = read_reseller({"status": status}, event=event)
    assert message.status == expected
    assert ("status" in listed(message)) is marked


def test_time_that_orders_messages() -> None:
    """`updatedAt` orders messages, else the envelope's timestamp, else nothing; an unreadable one is listed."""
    assert read_reseller({"updatedAt": "2026-11-20T18:00:00Z"}).sent_at == "2026-11-20T18:00:00.000Z"
    assert read_reseller({}).sent_at == "2026-11-20T17:30:00.000Z"
    assert read_reseller({}, timestamp=None).sent_at is None
    message = read_reseller({"updatedAt": "soon"}, timestamp=1732122665)
    assert message.sent_at is None
    assert set(listed(message)) == {"updated_at", "timestamp"}


def test_envelope_in_pascal_case() -> None:
    """The envelope is read in PascalCase as well, and so is a payload without one."""
    payload = {"ProviderId": "1MICKEYMOUSE123", "Status": "NEW", "Provider": "ETHOCA"}
    body = {"Event": "alert.created", "Timestamp": "2026-11-20T17:30:00Z", "Payload": payload}
    message = read_body(json.dumps(body).encode(), RESELLER)
    assert (message.event, message.sent_at, message.status) == ("alert.created", "2026-11-20T17:30:00.000Z", "new")
    bare = read_body(json.dumps(payload).encode(), RESELLER)
    assert (bare.provider_alert_id, bare.event, bare.status) == ("1MICKEYMOUSE123", None, "new")


def test_seen_in_the_wild() -> None:
    """An alert older than its transaction, open with no hours left, numbers and strings exchanged: no problem."""
    message = read_reseller(
        {
            "alertTimeStamp": "2015-02-27T04:33:04.328Z",
            "transactionTimeStamp": "2015-02-28T04:33:04.328Z",
            "status": "OPEN",
            "hoursLeft": 0,
            "amount": 352.99,
            "merchantId": 456789,
            "mcc": 5732,
            "installmentNumber": "1",
            "cardLastFour": 1224,
            "extra": [{"unknown": True}],
        }
    )
    assert message.problems == ()
    assert message.facts["amount"] == "352.99"
    assert message.facts["merchant_id"] == "456789"


@pytest.mark.parametrize(
    "item",
    [{}, {"payload": {}}, {"payload": {"id": "x"}}, {"payload": []}, [], None, {"payload": {"providerId": True}}],
)
def test_no_usable_id(item: object) -> None:
    """Without the network's id there is no alert: the platform's own id is none."""
    with pytest.raises(NotAnAlert):
        reseller.read_message(item, RESELLER, False, KEYRING)
