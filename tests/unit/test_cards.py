"""Card numbers are known, masked, and nothing else is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.alert.cards import card_network, has_luhn_sum, is_card_number, mask_cards
from tests.unit.messages import ETHOCA, KEYRING, listed, read_body, read_ethoca, sample

# The card networks' published test numbers.
NUMBERS = {
    "4111111111111111": "visa",
    "4222222222222": "visa",
    "5555555555554444": "mastercard",
    "2223003122003222": "mastercard",
    "378282246310005": "amex",
    "6011111111111117": "discover",
    "30569309025904": "diners",
    "3530111333300000": "jcb",
    "6200000000000005": "unionpay",
    "6759649826438453": "maestro",
}
# Made up, with a right sum, in the ranges of networks that publish no test numbers.
REGIONAL = {
    "6363681234567894": "elo",
    "6370951234567892": "hipercard",
    "9704123456789015": "napas",
    "9704123456789012345": "napas",
    "8600123456789012": "uzcard",
    "9860123456789015": "humo",
    "2205123456789014": "mir",
    "8212345678901238": "rupay",
}


@pytest.mark.parametrize(("number", "network"), [*NUMBERS.items(), *REGIONAL.items()])
def test_numbers_of_each_network_are_known_and_masked(number: str, network: str) -> None:
    """Every network's numbers are recognised; six digits before and four behind stay."""
    assert card_network(number) == network
    assert mask_cards(f"paid by {number}!") == f"paid by {number[:6]}{'*' * (len(number) - 10)}{number[-4:]}!"


@pytest.mark.parametrize(
    ("prefix", "network"),
    [
        ("222100", "mastercard"), ("272099", "mastercard"), ("222099", None), ("272100", None),
        ("510000", "mastercard"),
        ("341111", "amex"), ("644000", "discover"), ("360000", "diners"), ("358900", "jcb"), ("620000", "unionpay"),
        ("220000", "mir"), ("639000", "maestro"), ("800012", None), ("411111", "visa"), ("41111111", "visa"),
        ("220599", "mir"), ("220600", None), ("636368", "elo"), ("636369", None), ("637095", "hipercard"),
        ("637096", None), ("970400", "napas"), ("970500", None), ("860000", "uzcard"), ("860100", None),
        ("986000", "humo"), ("986100", None), ("820000", "rupay"), ("830000", None),
    ],
)  # fmt: skip
def test_ranges_and_their_borders(prefix: str, network: str | None) -> None:
    """A BIN of six or eight digits tells the network, exactly to the borders of the ranges."""
    assert card_network(prefix) == network


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("4111 1111 1111 1111", "4111 11** **** 1111"),
        ("4111-1111-1111-1111", "4111-11**-****-1111"),
        ("4111_1111_1111_1111", "4111_11**_****_1111"),
        ("4111/1111/1111/1111", "4111/11**/****/1111"),
        ("4111+1111+1111+1111", "4111+11**+****+1111"),
        ("4111.1111.1111.1111", "4111.11**.****.1111"),
        ("4111\u00a01111\u00a01111\u00a01111", "4111\u00a011**\u00a0****\u00a01111"),
        ("card4111111111111111x", "card411111******1111x"),
        ("4111111111111111 12/27 737", "411111******1111 12/27 737"),
        ("8005550100 4111111111111111", "8005550100 411111******1111"),
        ("4111111111111111,5555555555554444", "411111******1111,555555******4444"),
        ("4111111111111111 5555555555554444", "411111******1111 555555******4444"),
        ("4111  -  1111  -  1111  -  1111", "4111  -  11**  -  ****  -  1111"),
        ("4111,1111,1111,1111", "4111,11**,****,1111"),
        ("4111:1111:1111:1111", "4111:11**:****:1111"),
        ("4111|1111|1111|1111", "4111|11**|****|1111"),
        ("4111, 1111, 1111, 1111", "4111, 11**, ****, 1111"),
        ("4111 | 1111 | 1111 | 1111", "4111 | 11** | **** | 1111"),
        ("3782  -  822463  -  10005", "3782  -  82****  -  *0005"),
    ],
)
def test_card_numbers_are_found_however_written(text: str, masked: str) -> None:
    """Spaces, dashes and dots between, letters and other numbers around do not hide a card number."""
    assert mask_cards(text) == masked


@pytest.mark.parametrize(
    "gap",
    [*"\u2212\uff0d\u00ad\u200b\u200c\u200d\u2060\ufeff", " \u2212 ", " \u200b\u00ad\u200b "],
    ids=ascii,
)
def test_dashes_and_what_is_not_seen_hide_no_card_number(gap: str) -> None:
    """A minus sign, a full-width one, soft hyphens and blanks without a width stand between as a dash does."""
    number = gap.join(("4111", "1111", "1111", "1111"))
    assert mask_cards(f"by {number}.") == f"by {gap.join(('4111', '11**', '****', '1111'))}."


@pytest.mark.parametrize(
    "text",
    [
        "75186056123456789012345",  # an ARN of 23 digits
        "244111111111111111110123",  # of 24, a card number within
        "A4IM9K2MIYL9F2BPF9TWUIXTU",
        "4111111111111112",  # no Luhn sum
        "9999999999999995",  # no network
        "411111111111116",  # 15 digits, which no Visa number has
        "EXAMPLE*STORE 8005550100",
        "2026-11-20T17:11:05.000Z",
        "41111111-1111-1111-8111-111111111111",  # a UUID
        "411111******1111",
        "",
        "411,111,111,111,111,1",  # thousands, and what else has commas
        "4,111,111,111,111,111",
        "41:11:11:11:11:11:11:11",
        "4111      1111      1111      1111",  # columns
        "4    1    1    1    1    1    1    1    1    1    1    1    1    1    1    1",
        "411111111111",  # 12 digits
        "+82 2 312 3456, +82 2 312 3457",
        "+998 90 123 45 67",
        "2026-11-20 17:11:05, 2026-11-20 17:11:06",
        "82.00, 8600.00, 9860.00, 9704.00",
        "22.01.2026  -  01.04.2026",  # a sum and a range that fit, but of two dates
    ],
)
def test_what_is_no_card_number_stays(text: str) -> None:
    """An ARN, an id, a UUID, a telephone number, a time and what fails the sum are left alone."""
    assert mask_cards(text) == text


@given(st.text(alphabet="0123456789 -.x", max_size=60))
def test_nothing_that_stands_alone_is_left(text: str) -> None:
    """After masking no word of the text is a card number, the length is the same, and masking again changes nothing."""
    masked = mask_cards(text)
    assert len(masked) == len(text)
    assert not any(
        is_card_number(word) for word in masked.replace("x", " ").replace("-", " ").split() if word.isdigit()
    )
    assert mask_cards(masked) == masked


@pytest.mark.parametrize(("digits", "right"), [("79927398713", True), ("79927398710", False), ("0", True)])
def test_luhn(digits: str, right: bool) -> None:
    """The sum of the standard's own example is right for one last digit only."""
    assert has_luhn_sum(digits) is right


def test_card_number_field_becomes_bin_last_four_and_token() -> None:
    """The number of a known field goes nowhere; BIN, last four and a token stay, the same for the same number."""
    message = read_body(sample("ethoca-push-legacy-names.json"), ETHOCA)
    assert message.facts["card_bin"] == "411111"
    assert message.facts["card_last4"] == "1111"
    assert message.facts["card_token"] == KEYRING.card_token("4111111111111111").hex()
    spaced = read_ethoca({"cardNumber": "4111 1111-1111 1111"})
    assert spaced.facts["card_token"] == message.facts["card_token"]
    assert "4111111111111111" not in repr(message)
    assert message.problems == ()


def test_bin_of_the_message_counts_more() -> None:
    """A BIN that the message gives itself, perhaps of eight digits, is kept."""
    assert read_ethoca({"cardNumber": "4111111111111111", "cardBin": "41111111"}).facts["card_bin"] == "41111111"


def test_masked_number_is_read_as_far_as_it_goes() -> None:
    """A number that comes masked gives BIN and last four, but no token, and is no problem."""
    message = read_ethoca({"CardNumber": "555555******4444"})
    assert message.facts == {"card_bin": "555555", "card_last4": "4444"}
    assert message.problems == ()
    assert read_ethoca({"CardNumber": "**** **** **** 4444"}).facts == {"card_last4": "4444"}


@pytest.mark.parametrize("number", ["41111111111111112222", "4111y", "x4111111111111111", 4.111111111111111e15])
def test_unreadable_card_number_is_never_shown(number: object) -> None:
    """What stands in the card number field and is none is listed without its digits."""
    message = read_ethoca({"cardNumber": number})
    assert listed(message)["card_number"][1] == "not 13 to 19 digits"
    assert "4111" not in repr(message)


@pytest.mark.parametrize(
    "name", ["merchantDescriptor", "transactionId", "status", "type", "provider", "outcome", "mcc"]
)
def test_card_number_in_any_field_is_masked(name: str) -> None:
    """A card number that stands where it does not belong is masked, and the field listed."""
    message = read_ethoca({name: "4111111111111111"})
    assert "4111111111111111" not in repr(message)
    assert "411111******1111" in repr(message.problems)


@pytest.mark.parametrize("amount", ["4111111111111111", "4111111111111111.00", {"value": 4111111111111111}])
def test_card_number_as_amount_is_no_amount(amount: object) -> None:
    """A card number in an amount cannot be masked there: the amount is absent and listed."""
    message = read_ethoca({"amount": amount, "currency": "USD"})
    assert "amount" not in message.facts
    assert "4111111111111111" not in repr(message)
    assert listed(message)["amount"][1] == "looked like a card number"


@given(st.integers(0, 1100), st.sampled_from(["4111111111111111", "4111 1111 1111 1111", "5555-5555-5555-4444"]))
def test_cut_text_ends_in_no_part_of_a_card_number(before: int, number: str) -> None:
    """A text that is cut is masked first, wherever in it the number stands."""
    text = read_ethoca({"merchantName": "x" * before + number + "y" * 1000}).facts["merchant_name"]
    digits = "".join(character for character in text if character.isdigit())
    assert len(text) == 1000
    assert len(digits) <= 10


def test_card_number_in_an_unknown_field_is_not_taken() -> None:
    """Unknown fields are in the sealed body only."""
    message = read_ethoca({"note": "4111111111111111", "customerName": "A PERSON", "deep": {"a": ["4111111111111111"]}})
    assert message.facts == {}
    assert message.problems == ()
    assert "PERSON" not in json.dumps(message.facts)
