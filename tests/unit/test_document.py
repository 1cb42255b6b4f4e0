"""Strict JSON within bounds, and the alerts in it."""

import time
from decimal import Decimal

import pytest

from schemas.formats.document import (
    MAX_DEPTH,
    NotAnAlert,
    alert_fields,
    alert_id,
    depth_of,
    parse_json,
    plain_name,
    read_document,
    split_alerts,
    usable_id,
)
from schemas.settings.sources import Format, Source
from tests.unit.messages import ETHOCA, RESELLER, sample


def test_numbers_keep_their_digits() -> None:
    """Integers are text with every digit, other numbers are decimals, exactly as written."""
    read = parse_json(b'{"id": 123456789012345678901234567890, "amount": 125.40, "exponent": 1e3, "negative": -1}')
    assert read["id"] == "123456789012345678901234567890"
    assert read["negative"] == "-1"
    assert read["amount"].as_tuple() == Decimal("125.40").as_tuple()
    assert read["exponent"] == Decimal(1000)


def test_huge_numbers_are_read() -> None:
    """A number of 10,000 digits keeps them; an exponent that no decimal holds is no number, and no error."""
    assert parse_json(b"1" * 10_000) == "1" * 10_000
    assert parse_json(b"1e99999999999999999999").is_nan()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"{'a': 1}", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1,}', b'{"a": 01}', b"\xff\xfe", b'"\xff"',
        b'{"a": "\x00"}', b"nul", b'{"a": 1} {"a": 2}', "{}".encode("utf-16"),
        b'{"companyId": d2599442-95fa-49bf-a0a2-086362ef2283}',
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused(body: bytes) -> None:
    """Nothing but UTF-8 JSON is taken, and the error quotes nothing of the body."""
    with pytest.raises(NotAnAlert) as caught:
        parse_json(body)
    assert "d2599442" not in str(caught.value)


def test_byte_order_mark_and_equal_keys() -> None:
    """A byte order mark is let pass; of two equal keys the last counts."""
    assert parse_json(b'\xef\xbb\xbf{"a": 1, "a": 2}') == {"a": "2"}


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_depth_is_bounded(opening: bytes) -> None:
    """A body nested 10,000 deep is refused and one of the allowed depth is read; brackets in strings do not count."""
    closing = b"]" if opening == b"[" else b"}"
    with pytest.raises(NotAnAlert, match="levels deep"):
        parse_json(opening * 10_000 + b"1" + closing * 10_000)
    with pytest.raises(NotAnAlert, match="levels deep"):
        parse_json(opening * (MAX_DEPTH + 1) + b"1" + closing * (MAX_DEPTH + 1))
    parse_json(opening * MAX_DEPTH + b"1" + closing * MAX_DEPTH)
    parse_json(b'"' + b"[" * 10_000 + b'"')
    assert depth_of(b'{"a": "[[[\\"[[["}') == 1


@pytest.mark.parametrize("source", [ETHOCA, RESELLER])
def test_string_that_does_not_end_is_looked_through_once(source: Source) -> None:
    """A long string of quotes that does not end is refused in no time: not from each quote of it anew."""
    began = time.process_time()
    with pytest.raises(NotAnAlert):
        read_document(b"[" * (MAX_DEPTH + 1) + b'"' + b'\\"' * 50_000, source)
    with pytest.raises(NotAnAlert):
        read_document(b'["' + b'\\"' * 50_000, source)
    assert time.process_time() - began < 5  # seconds; it was a minute


def test_depth_is_that_of_what_stands_outside_of_strings() -> None:
    """Quotes and backslashes in strings neither hide brackets nor bring any to light."""
    assert depth_of(rb'["\\", ["\"[[", {"a\\\"{": "\\\\"}], "\n\\"]') == 3


@pytest.mark.parametrize(("name", "plain"), [("alertId", "alertid"), ("alert_id", "alertid"), ("AlertID", "alertid")])
def test_plain_names(name: str, plain: str) -> None:
    """Casings of a name fold into one."""
    assert plain_name(name) == plain


@pytest.mark.parametrize(
    ("value", "usable"),
    [
        ("A1", "A1"), ("1", "1"), (7, "7"), ("x" * 255, "x" * 255), ("x" * 256, None), ("", None), (None, None),
        (True, None), (Decimal("1.5"), None), (["A1"], None), ({"id": "A1"}, None), ("a\0b", None), ("\ud800", None),
        ("Ä東", "Ä東"),
    ],
)  # fmt: skip
def test_usable_ids(value: object, usable: str | None) -> None:
    """A usable id is a string or an integer of 1 to 255 characters that can be stored."""
    assert usable_id(value) == usable


@pytest.mark.parametrize(
    ("item", "form", "found"),
    [
        ({"alertId": "A1"}, "ethoca", "A1"),
        ({"EthocaID": "A1"}, "ethoca", "A1"),
        ({"ethoca_id": "A1"}, "ethoca", "A1"),
        ({"AlertId": "", "ethocaId": "A1"}, "ethoca", "A1"),
        ({"ethocaId": "A2", "alertId": "A1"}, "ethoca", "A1"),
        ({"providerId": "A1"}, "ethoca", None),
        ({"payload": {"alertId": "A1"}}, "ethoca", None),
        ({"payload": {"providerId": "A1"}}, "reseller", "A1"),
        ({"Payload": {"provider_id": "A1"}}, "reseller", "A1"),
        ({"providerId": "A1"}, "reseller", "A1"),
        ({"payload": {"id": "A1"}}, "reseller", None),
        ({"payload": "A1", "providerId": "A2"}, "reseller", "A2"),
        (["A1"], "reseller", None),
        (None, "ethoca", None),
    ],
)
def test_alert_ids(item: object, form: Format, found: str | None) -> None:
    """The network's id is found in every casing, the exact spelling first, and in nothing else."""
    assert alert_id(item, form) == found
    assert found is None or alert_fields(item, form) is not None


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"alertId": "A1"}, ([{"alertId": "A1"}], False)),
        ([{"alertId": "A1"}, 1], ([{"alertId": "A1"}, 1], True)),
        ({"alerts": [{}]}, ([{}], True)),
        ({"Alerts": [1, 2]}, ([1, 2], True)),
        ({"alerts": {}}, ([{"alerts": {}}], False)),
        ({"alertId": "A", "alerts": []}, ([{"alertId": "A", "alerts": []}], False)),
    ],
)
def test_alerts_of_a_document(document: object, expected: tuple[list[object], bool]) -> None:
    """One object, a list and an object with a list are told apart."""
    assert split_alerts(document) == expected


@pytest.mark.parametrize("document", [None, "A1", "1", Decimal(1), True, {}, [], {"alerts": []}])
def test_documents_without_an_alert(document: object) -> None:
    """Scalars and what is empty hold no alert."""
    with pytest.raises(NotAnAlert):
        split_alerts(document)


def test_repair_is_the_source_s_and_only_after_strict_parsing() -> None:
    """The documented body is repaired for the reseller alone; a valid one is not touched."""
    body = sample("reseller-alert-created.as-documented.txt")
    document, repaired = read_document(body, RESELLER)
    assert repaired
    assert document["payload"]["companyId"] == "d2599442-95fa-49bf-a0a2-086362ef2283"
    assert read_document(sample("reseller-alert-created.json"), RESELLER) == (document, False)
    with pytest.raises(NotAnAlert):
        read_document(body, ETHOCA)
    with pytest.raises(NotAnAlert):
        read_document(b'{"companyId": d2599442}', RESELLER)
    with pytest.raises(NotAnAlert):
        read_document(body.replace(b'"hoursLeft"', b"hoursLeft"), RESELLER)
