"""Money: decimal text from whatever a sender writes, and back to text with the currency's own decimals.

Never a float. Limits: 18 digits before the point and 6 behind it, which hold every amount of Ethoca's (11 and 3).
"""

import re
from decimal import Decimal

MAX_WHOLE_DIGITS = 18
MAX_DECIMALS = 6

# ISO 4217 active currencies by their number of decimals ("minor units"); funds and metals without one are left out.
_BY_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF "
        "CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ "
        "GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK "
        "MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB "
        "SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN "
        "UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
DECIMALS = {code: decimals for decimals, codes in _BY_DECIMALS.items() for code in codes.split()}

_PLAIN = re.compile(r"(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,6})?")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_LONGEST = 100


class UnreadableAmount(ValueError):
    """The value is no amount of money that is kept. The message says why, without quoting it."""


def normalize_amount(value: str | Decimal) -> str:
    """Return an amount as plain decimal text: no exponent, sign or leading zeros. Raises UnreadableAmount."""
    text = value.strip() if isinstance(value, str) else str(value)
    if _PLAIN.fullmatch(text):
        return text
    if isinstance(value, str):
        if len(text) > _LONGEST or _DECIMAL.fullmatch(text) is None:
            raise UnreadableAmount("not a decimal number")
        value = Decimal(text)
    if not value.is_finite():
        raise UnreadableAmount("not a finite number")
    if value < 0:
        raise UnreadableAmount("an amount below zero")
    if not value:
        value = Decimal(0)
    # Before it is written out, which an exponent could make endless.
    if value.adjusted() >= MAX_WHOLE_DIGITS:
        raise UnreadableAmount(f"more than {MAX_WHOLE_DIGITS} digits before the point")
    if value and value.adjusted() < -MAX_DECIMALS:
        raise UnreadableAmount(f"more than {MAX_DECIMALS} decimals")
    text = format(value, "f")
    if count_decimals(text) > MAX_DECIMALS:
        text = strip_zeros(text)
        if count_decimals(text) > MAX_DECIMALS:
            raise UnreadableAmount(f"more than {MAX_DECIMALS} decimals")
    return text


def print_amount(amount: str, currency: str | None) -> str:
    """Return the amount with the currency's own decimals, more only when they are not zero; without a currency as sent.

    0.340 USD -> 0.34, 0.345 USD -> 0.345, 100.00 JPY -> 100, 5 USD -> 5.00. A currency unknown to ISO 4217: as sent.
    """
    decimals = DECIMALS.get(currency or "")
    if decimals is None:
        return amount
    return f"{Decimal(amount):.{max(decimals, count_decimals(strip_zeros(amount)))}f}"


def count_minor_units(amount: str, currency: str | None) -> int | None:
    """Return the amount in the currency's minor units (125.40 USD -> 12540, 100 JPY -> 100).

    None when the currency is not known, or when the amount is finer than its minor unit: nothing is rounded.
    """
    decimals = DECIMALS.get(currency or "")
    if decimals is None:
        return None
    minor = Decimal(amount).scaleb(decimals)
    return int(minor) if minor == minor.to_integral_value() else None


def strip_zeros(amount: str) -> str:
    """Return the same amount without zeros at the end of its decimals."""
    return amount.rstrip("0").rstrip(".") if "." in amount else amount


def count_decimals(amount: str) -> int:
    """Return how many decimals a plain decimal text has."""
    return len(amount.partition(".")[2])
