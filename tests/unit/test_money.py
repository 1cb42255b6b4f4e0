"""Amounts are decimals from end to end, and printed as their currency is written."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.alert.money import DECIMALS, UnreadableAmount, count_minor_units, normalize_amount, print_amount
from tests.unit.messages import ETHOCA, listed, read_body, read_ethoca


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("125.40", "125.40"), ("89.990", "89.990"), ("0.340", "0.340"), ("0", "0"), ("100", "100"), ("007", "7"),
        ("000.50", "0.50"), (" 12.5 ", "12.5"), (".5", "0.5"), ("5.", "5"), ("+5", "5"), ("-0.00", "0"),
        ("1.2e2", "120"),
        (Decimal("125.40"), "125.40"), (Decimal("1E+2"), "100"), (Decimal("1.5E-3"), "0.0015"),
        ("1.000000000", "1"), ("1.230000000", "1.23"), ("999999999999999999.999999", "999999999999999999.999999"),
        ("0e-99999", None), ("0e-9999", "0"), ("0E+9999", "0"),
    ],
)  # fmt: skip
def test_amounts_are_read(written: str | Decimal, read: str | None) -> None:
    """Strings and numbers become plain decimal text, their decimals as sent, whatever their exponent."""
    if read is None:
        with pytest.raises(UnreadableAmount):
            normalize_amount(written)
    else:
        assert normalize_amount(written) == read


@pytest.mark.parametrize(
    "written",
    [
        "", "abc", "1,50", "1.234,56", "$5", "5 USD", "--5", "NaN", "Infinity", "1_000", "\u0665", "0x10", "1e",
        "9" * 10_000, "-1", Decimal("-0.01"), Decimal("NaN"), Decimal("Infinity"),
        "1000000000000000000", "0.0000001",
        Decimal("1E+999999"), Decimal("1E-999999"), Decimal("1E+18"), "1e9999", "1e-9999",
    ],
)  # fmt: skip
def test_amounts_that_are_none(written: str | Decimal) -> None:
    """What is no amount, below zero, or larger or finer than is kept is refused at once, however large its exponent."""
    with pytest.raises(UnreadableAmount):
        normalize_amount(written)


@given(st.decimals(min_value=0, max_value=Decimal("999999999999999999.999999"), places=6))
def test_amounts_keep_their_value(amount: Decimal) -> None:
    """Reading an amount never changes what it is worth."""
    read = normalize_amount(str(amount))
    assert Decimal(read) == amount
    assert "E" not in read


@pytest.mark.parametrize(
    ("amount", "currency", "printed", "minor"),
    [
        ("0.340", "USD", "0.34", 34), ("125.4", "USD", "125.40", 12540), ("5", "EUR", "5.00", 500),
        ("0.345", "USD", "0.345", None), ("100", "JPY", "100", 100), ("100.00", "JPY", "100", 100),
        ("100.5", "JPY", "100.5", None), ("1.5", "KWD", "1.500", 1500), ("89.990", None, "89.990", None),
        ("89.990", "XXX", "89.990", None), ("89.990", "ZZZ", "89.990", None), ("0", "USD", "0.00", 0),
        ("999999999999999999.999999", "USD", "999999999999999999.999999", None),
        ("999999999999999999.990000", "USD", "999999999999999999.99", 99999999999999999999),
    ],
)  # fmt: skip
def test_amounts_by_currency(amount: str, currency: str | None, printed: str, minor: int | None) -> None:
    """An amount has its currency's decimals, more when they are not zero; its minor units are exact or none."""
    assert print_amount(amount, currency) == printed
    assert count_minor_units(amount, currency) == minor


def test_currency_codes_are_three_letters() -> None:
    """The table holds well-formed codes, each in one row."""
    assert all(len(code) == 3 and code.isupper() for code in DECIMALS)
    assert len(DECIMALS) > 160


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ({"value": 125.40, "currencyCode": "USD"}, {"amount": "125.4", "currency": "USD"}),
        ({"value": "125.40", "currencyCode": "usd"}, {"amount": "125.40", "currency": "USD"}),
        ({"Value": 100, "CurrencyCode": "JPY"}, {"amount": "100", "currency": "JPY"}),
        ({"value": None, "currencyCode": "USD"}, {"currency": "USD"}),
        ({"value": 0.1}, {"amount": "0.1"}),
        ({}, {}),
    ],
)
def test_money_objects(amount: object, expected: dict[str, str]) -> None:
    """A money object gives the amount and the currency."""
    assert read_ethoca({"transactionAmount": amount}).facts == expected


def test_number_keeps_its_digits() -> None:
    """A JSON number never passes through a float on its way."""
    body = b'{"alertId": "A1", "amount": {"value": 125.40, "currencyCode": "USD"}, "chargebackAmount": 0.10000000000}'
    message = read_body(body, ETHOCA)
    assert message.facts["amount"] == "125.40"
    assert message.facts["chargeback_amount"] == "0.1"


def test_money_object_of_a_chargeback() -> None:
    """The currency of a chargeback's money object is the chargeback's."""
    facts = read_ethoca({"chargebackAmount": {"value": 5, "currencyCode": "EUR"}, "currency": "USD"}).facts
    assert facts == {"chargeback_amount": "5", "chargeback_currency": "EUR", "currency": "USD"}


def test_currency_of_the_money_object_counts_more() -> None:
    """A currency beside the amount that differs from the amount's own is listed."""
    message = read_ethoca({"amount": {"value": 5, "currencyCode": "EUR"}, "currency": "USD"})
    assert message.facts == {"amount": "5", "currency": "EUR"}
    assert listed(message) == {"currency": ("USD", "differs from the currency of the amount")}


@pytest.mark.parametrize("amount", [True, [1], {"value": {"value": 1}}, {"wrong": 1}, "abc", -5])
def test_unreadable_amount_is_absent_and_listed(amount: object) -> None:
    """What cannot be read as an amount is no amount, and the alert lives."""
    message = read_ethoca({"amount": amount, "issuer": "EXAMPLE BANK"})
    assert message.facts == {"issuer": "EXAMPLE BANK"}
    assert list(listed(message)) == ["amount"]


@pytest.mark.parametrize("currency", ["US", "EURO", "U$D", "ÄÖÜ", 840, 8.4, ["USD"]])
def test_unreadable_currency_is_absent_and_listed(currency: object) -> None:
    """A currency is three letters or it is listed."""
    message = read_ethoca({"currency": currency})
    assert message.facts == {}
    assert list(listed(message)) == ["currency"]
