"""What makes two alerts speak of one transaction, and what does not."""

import pytest

from schemas.alert.alert import Alert
from tests.unit.messages import alert_of, read_ethoca, read_reseller
from workers.intake.link import find_partners
from workers.intake.transactions import transaction_keys

ARN = "74537604221222132710572"
PURCHASE = {
    "cardBin": "55555555", "cardLastFour": "4444", "amount": "125.40", "currency": "USD",
    "transactionTimeStamp": "2026-11-19T14:30:00Z", "merchantDescriptor": "EXAMPLE*STORE 8005550100",
    "merchantId": "456789",
}  # fmt: skip


def alert(**fields: object) -> Alert:
    """Return a reseller's alert with these fields."""
    return alert_of(read_reseller(fields))


def linked(one: Alert, other: Alert) -> bool:
    """Say whether two alerts have a key in common."""
    return bool(transaction_keys(one) & transaction_keys(other))


def test_same_arn_links_whatever_else_differs() -> None:
    """The ARN alone is enough, however it is spaced, over networks and formats."""
    ethoca = alert_of(read_ethoca({"arn": ARN}))
    assert linked(ethoca, alert(provider="VERIFI", acquirerReferenceNumber=f"{ARN[:8]} {ARN[8:]}", amount="1.00"))
    assert not linked(ethoca, alert(acquirerReferenceNumber=ARN[:-1] + "3"))


@pytest.mark.parametrize("arn", ["0", "N/A", "00000000000000000000000", "not available", "7453760"])
def test_placeholder_is_no_arn(arn: str) -> None:
    """What senders write when they have none links nothing."""
    assert not linked(alert(acquirerReferenceNumber=arn), alert(acquirerReferenceNumber=arn))


def test_same_purchase_links() -> None:
    """Card, amount, currency, day and merchant: how they are written, and the hour, do not count."""
    ethoca = alert_of(
        read_ethoca(
            {
                "cardBin": "555555", "cardLast4": "4444", "amount": "125.4", "currency": "usd",
                "transactionTimestamp": "2026-11-19T22:00:00", "merchantDescriptor": "Example*Store  8005550100",
            }
        )
    )  # fmt: skip
    assert linked(ethoca, alert(**PURCHASE))


@pytest.mark.parametrize(
    "differing",
    [
        {"cardBin": "55555655"},
        {"cardLastFour": "4445"},
        {"amount": "125.41"},
        {"currency": "EUR"},
        {"transactionTimeStamp": "2026-11-20T00:00:00Z"},
        {"merchantDescriptor": "ANOTHER STORE", "merchantId": "456780"},
    ],
)
def test_another_purchase_does_not_link(differing: dict[str, str]) -> None:
    """One thing that differs makes another transaction."""
    assert not linked(alert(**PURCHASE), alert(**PURCHASE | differing))


@pytest.mark.parametrize("missing", ["cardBin", "cardLastFour", "amount", "currency", "transactionTimeStamp"])
def test_half_known_purchase_does_not_link(missing: str) -> None:
    """What is not known on both sides is not taken to be the same."""
    half = {name: value for name, value in PURCHASE.items() if name != missing}
    assert transaction_keys(alert(**half)) == set()


def test_merchant_is_known_by_any_of_its_names() -> None:
    """Descriptor, MID, or the table of merchants: one in common is enough, none is too few."""
    by_id = {name: value for name, value in PURCHASE.items() if name != "merchantDescriptor"}
    by_descriptor = {name: value for name, value in PURCHASE.items() if name != "merchantId"}
    assert linked(alert(**PURCHASE), alert(**by_id))
    assert linked(alert(**PURCHASE), alert(**by_descriptor))
    assert not linked(alert(**by_id), alert(**by_descriptor))
    one, other = alert(**by_id), alert(**by_descriptor)
    one.enrichment = {"merchant": {"merchant_id": "m1"}}
    other.enrichment = {"merchant": {"merchant_id": "m1"}}
    assert linked(one, other)


def test_partners_are_the_others_of_every_group() -> None:
    """Nobody is its own partner, and partners of several groups are joined."""
    assert find_partners([["a", "b"], ["b", "c"]]) == {"a": {"b"}, "b": {"a", "c"}, "c": {"b"}}
