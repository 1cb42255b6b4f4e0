"""Which alerts a subscription wants."""

from decimal import Decimal

import pytest

from schemas.alert.alert import Alert
from schemas.downstream.filters import Filters, check_kinds, read_filters

ALERT = Alert(
    "1", "ethoca", "A1", "ethoca", "customer_dispute", "open", "2026-11-20T17:11:05.000Z",
    facts={"amount": "125.40", "currency": "USD", "merchant_id": "M1"},
)  # fmt: skip
BARE = Alert("2", "verifi", "A2", "reseller", "other", "open", "2026-11-20T17:11:05.000Z")


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"providers": ["verifi", "Ethoca"]},
        {"kinds": ["CUSTOMER_DISPUTE"]},
        {"merchants": ["M1", "M2"]},
        {"currencies": ["usd"]},
        {"sources": ["ethoca"]},
        {"min_amount": "125.40"},
        {"max_amount": "125.4"},
        {"min_amount": "100", "max_amount": "200", "currencies": ["USD"], "merchants": ["M1"]},
    ],
)
def test_an_alert_that_fits_is_wanted(filters: dict[str, object]) -> None:
    """Each filter admits the values it names; several must all fit."""
    assert read_filters(filters).admit(ALERT)


@pytest.mark.parametrize(
    "filters",
    [
        {"providers": ["verifi"]},
        {"kinds": ["other"]},
        {"merchants": ["m1"]},
        {"currencies": ["EUR"]},
        {"sources": ["reseller"]},
        {"min_amount": "125.41"},
        {"max_amount": "125.39"},
        {"currencies": ["USD"], "merchants": ["M2"]},
    ],
)
def test_an_alert_that_does_not_fit_is_not_wanted(filters: dict[str, object]) -> None:
    """One filter that does not fit is enough."""
    assert not read_filters(filters).admit(ALERT)


@pytest.mark.parametrize("filters", [{"merchants": ["M1"]}, {"currencies": ["USD"]}, {"min_amount": "0"}])
def test_an_unknown_field_fits_no_filter(filters: dict[str, object]) -> None:
    """An alert without merchant, currency or amount is not for who asks for particular ones."""
    assert not read_filters(filters).admit(BARE)
    assert read_filters({}).admit(BARE)


@pytest.mark.parametrize(
    "filters",
    [
        {"merchant": ["M1"]},
        {"merchants": [""]},
        {"merchants": "M1"},
        {"min_amount": "-1"},
        {"min_amount": "NaN"},
        {"min_amount": "2", "max_amount": "1"},
        {"kinds": [1]},
    ],
)
def test_filters_that_make_no_sense_are_refused(filters: dict[str, object]) -> None:
    """A misspelt filter would otherwise let everything through, or nothing."""
    with pytest.raises(ValueError, match=r"\S"):
        read_filters(filters)


def test_kinds_are_those_that_there_are() -> None:
    """A word of the sender's would keep every alert back for ever: the refusal names those that there are."""
    check_kinds(["confirmed_fraud", "Customer_Dispute", "OTHER"])
    with pytest.raises(ValueError, match=r"'fraud'.* confirmed_fraud, customer_dispute, other"):
        check_kinds(["other", "fraud"])


def test_a_kind_that_is_none_stops_no_drain() -> None:
    """A subscription that was made with one is still read, and gets nothing, as before."""
    assert not read_filters({"kinds": ["fraud"]}).admit(ALERT)


def test_large_amounts_are_compared_exactly() -> None:
    """Amounts are decimals, never floats."""
    assert Filters(min_amount=Decimal("10000000000000000.01")).admits_amount("10000000000000000.01")
    assert not Filters(min_amount=Decimal("10000000000000000.01")).admits_amount("10000000000000000")
