"""Every documented spelling, in every casing, means what the table says."""

from typing import Any

import pytest

from schemas.alert.alert import FACTS
from schemas.alert.problem import Problem, show_value
from schemas.alert.vocabulary import ALIASES, CLOSED_STATUSES, OPEN_STATUSES, STATUSES, kind_of
from schemas.formats.gathering import gather_facts
from tests.unit.messages import listed, read_ethoca, read_reseller

# What a sender might write for each fact, and what it becomes. A fact that is not here takes any text as it is.
WRITTEN = {
    "event": ("alert.created", None),
    "timestamp": ("2026-11-20T17:11:05Z", None),
    "updated_at": ("2026-11-20T17:11:05Z", None),
    "provider": ("ETHOCA", None),
    "status": ("OPEN", None),
    "card_number": ("4111111111111111", None),
    "card_bin": ("41111122", "41111122"),
    "card_last4": ("0044", "0044"),
    "amount": ("125.40", "125.40"),
    "chargeback_amount": ("0.340", "0.340"),
    "currency": ("usd", "USD"),
    "chargeback_currency": ("EUR", "EUR"),
    "transaction_at": ("2026-11-20T17:11:05Z", "2026-11-20T17:11:05.000Z"),
    "alerted_at": ("2026-11-20T17:11:05Z", "2026-11-20T17:11:05.000Z"),
    "transaction_type": ("ECOMMERCE", "eCommerce"),
    "initiated_by": ("Issuer", "issuer"),
    "is_3d_secure": ("NO", "no"),
    "type": ("CUSTOMERDISPUTE", "CUSTOMERDISPUTE"),
}
NO_FACTS = {"event", "timestamp", "updated_at", "provider", "status", "card_number"}


def casings(spelling: str) -> list[str]:
    """Return a spelling in snake_case, camelCase and PascalCase."""
    first, *rest = spelling.split("_")
    tail = "".join(word.capitalize() for word in rest)
    return [spelling, first + tail, first.capitalize() + tail]


SPELLINGS = [
    (fact, name) for fact, spellings in ALIASES.items() for spelling in spellings for name in casings(spelling)
]


@pytest.mark.parametrize(("fact", "name"), SPELLINGS)
def test_every_spelling_in_three_casings(fact: str, name: str) -> None:
    """Each spelling of the table is read in snake_case, camelCase and PascalCase, through the schema."""
    written, expected = WRITTEN.get(fact, (f"a {fact}", f"a {fact}"))
    message = read_ethoca({name: written})
    assert message.problems == ()
    if fact in NO_FACTS:
        assert fact not in message.facts
    else:
        assert message.facts == {fact: expected}


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("MemberID", "member_id"), ("ARN", "arn"), ("MCC", "mcc"), ("CardBIN", "card_bin"), ("CardLast4", "card_last4"),
        ("Is3DSecure", "is_3d_secure"), ("ethocaMergantId", "ethoca_merchant_id"), ("alertTimeStamp", "alerted_at"),
        ("transactionTimeStamp", "transaction_at"), ("acquirerReferenceNumber", "arn"), ("dateSubmitted", "alerted_at"),
        ("cardLastFour", "card_last4"), ("MerchantMemberName", "merchant_name"), ("Source", "alert_source"),
        ("ChargebackReasonCode", "reason_code"), ("transactionAmount", "amount"),
    ],
)  # fmt: skip
def test_documented_oddities(name: str, fact: str) -> None:
    """Names that the vendors capitalise in their own way are known too."""
    assert gather_facts({name: "x"}, []) == {fact: "x"}


def test_table_is_complete() -> None:
    """Every canonical fact has a spelling, and every entry of the table is a fact or a known part of a message."""
    assert set(ALIASES) == set(FACTS) - {"card_token"} | NO_FACTS


def test_folded_spellings_are_unambiguous() -> None:
    """No spelling stands for two things."""
    folded = [spelling.replace("_", "") for spellings in ALIASES.values() for spelling in spellings]
    assert len(folded) == len(set(folded))


@pytest.mark.parametrize("reverse", [False, True])
def test_preferred_spelling_wins_in_any_order(reverse: bool) -> None:
    """Of two spellings that disagree the preferred one counts, wherever it stands, and the other is listed."""
    fields: dict[str, Any] = {"transactionAmount": "2.00", "amount": "1.00"}
    problems: list[Problem] = []
    found = gather_facts(dict(reversed(fields.items())) if reverse else fields, problems)
    assert found == {"amount": "1.00"}
    assert problems == [Problem("amount", "2.00", "given twice under different names")]


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_empty_spelling_yields_to_a_filled_one(nothing: str | None) -> None:
    """A preferred spelling that says nothing does not hide another that says something."""
    problems: list[Problem] = []
    assert gather_facts({"amount": nothing, "transactionAmount": "2.00"}, problems) == {"amount": "2.00"}
    assert problems == []


def test_same_value_twice_is_no_problem() -> None:
    """Two spellings that agree are not worth a line."""
    assert read_ethoca({"ARN": "75186056123456789012345", "arn": "75186056123456789012345"}).problems == ()


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("CONFIRMEDFRAUD", "confirmed_fraud"), ("issuer_alert", "confirmed_fraud"),
        ("fraudreporter_alert", "confirmed_fraud"), ("ETHOCA_CONFIRMED_FRAUD", "confirmed_fraud"),
        ("CUSTOMERDISPUTE", "customer_dispute"), ("customerdispute_alert", "customer_dispute"),
        ("ETHOCA_CUSTOMER_DISPUTE", "customer_dispute"), ("VERIFI_CUSTOMER_DISPUTE", "customer_dispute"),
        ("VERIFI_RDR", None),
    ],
)  # fmt: skip
def test_types_name_their_kind(word: str, kind: str | None) -> None:
    """All documented types are one of two kinds; another is none."""
    assert kind_of(word) == kind


def test_unknown_type_is_kept_and_marked() -> None:
    """An alert of an unknown type is of kind other, keeps the sender's word, and says so."""
    message = read_reseller({"type": "VERIFI_RDR", "provider": "VERIFI"})
    assert (message.kind, message.facts["type"], message.network) == ("other", "VERIFI_RDR", "verifi")
    assert listed(message) == {"type": ("VERIFI_RDR", "not a known type")}


def test_message_without_type_has_no_kind() -> None:
    """A message that carries no type says nothing of the kind."""
    assert read_ethoca({}).kind is None


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("NEW", "new"), ("OPEN", "open"), ("RESOLVED", "resolved"), ("REFUNDED", "refunded"),
        ("PROCESSING", "processing"), ("NOT_FOUND", "not_found"), ("NOTFOUND", "not_found"), ("Not Found", "not_found"),
        ("CHARGEBACK", "chargeback"), ("OTHER", "other"), ("EXPIRED", "expired"),
    ],
)  # fmt: skip
def test_statuses(word: str, status: str) -> None:
    """Every documented status is known in its spellings, without a problem."""
    message = read_reseller({"status": word, "type": "ETHOCA_CONFIRMED_FRAUD"})
    assert (message.status, message.problems) == (status, ())


def test_unknown_status_is_kept_and_marked() -> None:
    """An unknown status is kept in lower case and listed."""
    message = read_reseller({"status": "UNDER_REVIEW"})
    assert message.status == "under_review"
    assert listed(message) == {"status": ("UNDER_REVIEW", "not a known word")}


def test_every_status_is_open_or_closed() -> None:
    """No known status is both open and closed, or neither."""
    assert set(STATUSES.values()) == OPEN_STATUSES | CLOSED_STATUSES
    assert not OPEN_STATUSES & CLOSED_STATUSES


@pytest.mark.parametrize(
    ("name", "written", "read"),
    [
        ("transactionType", "ECOMMERCE", "eCommerce"), ("transactionType", "keyed", "keyed"),
        ("transactionType", "Swiped", "swiped"), ("initiatedBy", "CARDHOLDER", "cardholder"),
        ("initiatedBy", "not available", "not_available"), ("is3DSecure", True, "yes"), ("is3DSecure", "Y", "yes"),
        ("is3DSecure", False, "no"), ("is3DSecure", 0, "no"), ("is3DSecure", "NOT_AVAILABLE", "not_available"),
        ("is3DSecure", "N/A", "not_available"),
    ],
)  # fmt: skip
def test_words_of_vocabularies(name: str, written: object, read: str) -> None:
    """Words are known whatever their case and separators; yes and no also as truth values."""
    message = read_ethoca({name: written})
    assert list(message.facts.values()) == [read]
    assert message.problems == ()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"secret": "x"}, "(an object)"), (["x"], "(a list)"), (True, "true"), ("a\0b\ud800", "a\ufffdb\ufffd"),
        ("x" * 99 + "4111111111111111", "x" * 99 + "4"), ("x" * 90 + "4111 1111 1111 1111", "x" * 90 + "4111 11** "),
    ],
)  # fmt: skip
def test_shown_values_are_harmless(value: object, shown: str) -> None:
    """A problem shows nothing nested, nothing unstorable, at most 100 characters, and no card number, cut or whole."""
    assert show_value(value) == shown
