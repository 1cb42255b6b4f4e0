"""Alerts as Ethoca pushes them."""

import json
import random
from typing import Any

import msgspec
import pytest

from schemas.alert.content import content_of
from schemas.formats import ethoca
from schemas.formats.document import NotAnAlert, parse_json, split_alerts
from tests.unit.messages import ETHOCA, KEYRING, listed, read_body, read_ethoca, sample

DISPUTE = "ethoca-push-customer-dispute.json"
LEGACY = "ethoca-push-legacy-names.json"


def test_customer_dispute() -> None:
    """The bundled customer dispute is read whole, without a problem."""
    message = read_body(sample(DISPUTE), ETHOCA)
    assert message.problems == ()
    assert (message.network, message.provider_alert_id) == ("ethoca", "A4IM9K2MIYL9F2BPF9TWUIXTU")
    assert (message.kind, message.status, message.event, message.sent_at) == ("customer_dispute", None, None, None)
    assert message.own_door
    assert not message.repaired
    assert message.facts == {
        "issuer": "EXAMPLE BANK",
        "card_bin": "555555",
        "card_last4": "4444",
        "amount": "125.40",
        "currency": "USD",
        "transaction_at": "2026-11-19T14:30:00.000Z",
        "transaction_id": "MCC0987654321",
        "transaction_type": "eCommerce",
        "arn": "75186056123456789012345",
        "auth_code": "735364",
        "merchant_descriptor": "EXAMPLE*STORE 8005550100",
        "mcc": "5732",
        "alerted_at": "2026-11-20T17:11:05.000Z",
        "type": "CUSTOMERDISPUTE",
        "member_id": "4567",
        "initiated_by": "cardholder",
        "is_3d_secure": "no",
        "reason_code": "4853",
    }


def test_legacy_names() -> None:
    """The bundled push with the earlier names is read whole; its unmasked card number is gone."""
    message = read_body(sample(LEGACY), ETHOCA)
    assert message.problems == ()
    assert message.provider_alert_id == "9QK2L0V7Y3R8T1N5B4M6C2X1Z"
    assert message.kind == "confirmed_fraud"
    assert message.facts == {
        "issuer": "EXAMPLE BANK",
        "card_bin": "411111",
        "card_last4": "1111",
        "card_token": KEYRING.card_token("4111111111111111").hex(),
        "amount": "89.990",
        "currency": "USD",
        "transaction_at": "2026-11-19T05:02:44.000Z",
        "transaction_type": "eCommerce",
        "arn": "24186056123456789012346",
        "auth_code": "018822",
        "merchant_name": "EXAMPLE STORE INC",
        "merchant_descriptor": "EXAMPLE*STORE 8005550100",
        "mcc": "5732",
        "alerted_at": "2026-11-20T12:11:05.000Z",
        "type": "issuer_alert",
        "member_id": "4567",
        "initiated_by": "issuer",
        "is_3d_secure": "not_available",
    }


def test_published_prose_sample() -> None:
    """The fields of the published prose are read; the customer's name is not taken."""
    body = {"customerName": "A PERSON", "transactionAmount": "150.00", "dateSubmitted": "2026-11-20"}
    message = read_ethoca(body | {"alertId": "ALERT_001", "alertType": "CONFIRMEDFRAUD"})
    assert message.provider_alert_id == "ALERT_001"
    assert message.kind == "confirmed_fraud"
    assert message.facts == {"amount": "150.00", "alerted_at": "2026-11-20T00:00:00.000Z", "type": "CONFIRMEDFRAUD"}


@pytest.mark.parametrize("wrapping", ["[{0}, {1}]", '{{"alerts": [{0}, {1}]}}', '{{"Alerts": [{0}, {1}]}}'])
def test_lists_of_alerts(wrapping: str) -> None:
    """Each alert of a list, bare or inside an object, is read as if it came alone."""
    bodies = [sample(DISPUTE).decode(), sample(LEGACY).decode()]
    items, is_list = split_alerts(parse_json(wrapping.format(*bodies).encode()))
    assert is_list
    read = [ethoca.read_message(item, ETHOCA, False, KEYRING) for item in items]
    assert read == [read_body(body.encode(), ETHOCA) for body in bodies]


@pytest.mark.parametrize(
    "item", [{}, [], None, "A1", "1", {"alertId": ""}, {"alertId": None}, {"id": "A1"}, {"alertId": {}}]
)
def test_no_usable_id(item: object) -> None:
    """What has no usable id is no alert; nothing but NotAnAlert says so."""
    with pytest.raises(NotAnAlert):
        ethoca.read_message(item, ETHOCA, False, KEYRING)


def test_network_of_the_source() -> None:
    """A source that names another network is believed, in lower case."""
    assert read_ethoca({}, msgspec.structs.replace(ETHOCA, network="OTHERNET")).network == "othernet"
    assert read_ethoca({}, msgspec.structs.replace(ETHOCA, network=None)).network == "ethoca"


def test_times_of_sending_order_messages_where_they_are_there() -> None:
    """A push that says when it was changed is ordered by it."""
    assert read_ethoca({"updatedAt": "2026-11-20T17:11:05Z"}).sent_at == "2026-11-20T17:11:05.000Z"


@pytest.mark.parametrize(
    ("fields", "facts"),
    [
        ({"authCode": 18822}, {"auth_code": "18822"}),
        ({"memberId": "4567"}, {"member_id": "4567"}),
        ({"memberId": 4567.5}, {"member_id": "4567.5"}),
        ({"arn": 75186056123456789012345}, {"arn": "75186056123456789012345"}),
        ({"cardLast4": 1224, "cardBin": 80001234}, {"card_last4": "1224", "card_bin": "80001234"}),
        ({"mcc": None, "issuer": "", "arn": "   "}, {}),
        ({"issuer": "  EXAMPLE BANK "}, {"issuer": "EXAMPLE BANK"}),
        ({"merchantId": "x" * 255}, {"merchant_id": "x" * 255}),
        ({"merchantName": "ÄÖ 東京"}, {"merchant_name": "ÄÖ 東京"}),
    ],
)
def test_texts_and_numbers(fields: dict[str, Any], facts: dict[str, str]) -> None:
    """A number is text with every digit, text is a number where it is one; null and blank are absent; no problem."""
    message = read_ethoca(fields)
    assert message.facts == facts
    assert message.problems == ()


@pytest.mark.parametrize(
    ("fields", "facts", "field"),
    [
        ({"issuer": True}, {}, "issuer"),
        ({"issuer": ["EXAMPLE BANK"]}, {}, "issuer"),
        ({"issuer": {"name": "EXAMPLE BANK"}}, {}, "issuer"),
        ({"arn": 7.5186056123456789e22}, {}, "arn"),
        ({"issuer": "EXAMPLE\0BANK"}, {"issuer": "EXAMPLE\ufffdBANK"}, "issuer"),
        ({"issuer": "EXAMPLE\ud800BANK"}, {"issuer": "EXAMPLE\ufffdBANK"}, "issuer"),
        ({"issuer": "x" * 1001}, {"issuer": "x" * 1000}, "issuer"),
        ({"merchantId": "x" * 256}, {"merchant_id": "x" * 255}, "merchant_id"),
        ({"status": "\0"}, {}, "status"),
        ({"status": "x" * 65}, {}, "status"),
        ({"cardBin": "5555"}, {}, "card_bin"),
        ({"cardLast4": "444"}, {}, "card_last4"),
        ({"cardLast4": "٤٤٤٤"}, {}, "card_last4"),
        ({"issuer": 10**1200}, {"issuer": "1" + "0" * 999}, "issuer"),
    ],
)
def test_unreadable_fields(fields: dict[str, Any], facts: dict[str, str], field: str) -> None:
    """What cannot be read, or not wholly, is absent or kept as far as it goes, and listed; the alert lives."""
    message = read_ethoca(fields)
    assert message.facts == facts
    assert list(listed(message)) == [field]


def test_content_is_the_same_however_it_is_said() -> None:
    """Order, casing and spelling of the keys, the age and times of sending make no other content."""
    message = read_body(sample(LEGACY), ETHOCA)
    fields: dict[str, Any] = json.loads(sample(LEGACY))
    shuffled = list(fields.items())
    random.Random(3).shuffle(shuffled)
    other = {"age": "99", "updated_at": "2026-11-21T00:00:00Z", "amount": 89.99, "ethoca_id": fields["EthocaID"]}
    again = {name.lower(): value for name, value in shuffled if name not in {"Age", "Amount", "EthocaID"}} | other
    assert content_of(read_body(json.dumps(again).encode(), ETHOCA)) == content_of(message)


@pytest.mark.parametrize("change", [{"Amount": "89.98"}, {"Type": "customerdispute_alert"}, {"Status": "RESOLVED"}])
def test_content_differs_when_something_else_is_said(change: dict[str, str]) -> None:
    """Another fact, kind or status is another content."""
    fields: dict[str, Any] = json.loads(sample(LEGACY))
    assert content_of(read_ethoca(fields | change)) != content_of(read_ethoca(fields))


def test_content_is_written_for_good() -> None:
    """The bytes of a content never change: the fingerprints of years are compared with them."""
    fields = {"alertType": "CUSTOMERDISPUTE", "amount": "5.10", "issuer": "ÄB", "status": "OPEN"}
    expected = '["customer_dispute",null,"open",{"amount":"5.1","issuer":"ÄB","type":"CUSTOMERDISPUTE"}]'
    assert content_of(read_ethoca(fields)) == expected.encode()
