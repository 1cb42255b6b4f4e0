"""The body of a rejection is shown as it came, without control characters and card numbers, however written."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.rejections.body import show_body

GROUPS = ("4111", "1111", "1111", "1111")
GAPS = [r"\u00a0", r"\u2013", r"\u2212", r"\u200b", r"\n", r"\t", r"\r", r"\f", r"\/", r"\u002d", r"\u0020", r"\u0000",
        r"\u00A0", r" \/ ", r"\\u00a0", r"\\n", r"\\\/", r"\\\\t", "\r", "\x00", "\x1f", " \x00-\x00 "]  # fmt: skip


def test_card_numbers_of_a_rejected_body_are_masked() -> None:
    """Also where control characters stand between the digits, as in UTF-16; broken UTF-8 is shown, too."""
    assert "4111111111111111" not in show_body(b'{"CardNumber": "4111111111111111"')
    assert "4111111111111111" not in show_body("4111111111111111".encode("utf-16-le"))
    assert "11111111" not in show_body(rb'{"CardNumber": "\u0034111\u00311111111111\u0031"')
    assert show_body(b"\xff{") == "\ufffd{"


@pytest.mark.parametrize("gap", GAPS, ids=ascii)
def test_escapes_between_the_groups_hide_no_card_number(gap: str) -> None:
    """Written as JSON may write any character, once or as JSON within JSON, a blank is a blank: only digits change."""
    shown = show_body(f'{{"note": "by {gap.join(GROUPS)}",'.encode())
    kept = gap.translate(dict.fromkeys((0, 13, 31)))
    assert shown == f'{{"note": "by {kept.join(("4111", "11**", "****", "1111"))}",'


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (
            r"\u0034\u0031\u0031\u0031 \u0031111 \u0031111 \u0031111",
            r"\u0034\u0031\u0031\u0031 \u00311** **** \u0031111",
        ),
        (r"\\u0034111111111\u00311111\\u0031", r"\\u003411111******111\\u0031"),
        (r"\uff14111 1111 11\uff111 1111", r"\uff14111 11** **** 1111"),
        (r"\ud835\udfd2111 1111 111\ud835\udfcf 1111", r"\ud835\udfd2111 11** **** 1111"),
        (r"\u00e94111111111111111", r"\u00e9411111******1111"),
        ("4111111111111111\r5555555555554444", "411111******1111555555******4444"),
        ("4\x001\x001\x001\x00" + "1\x00" * 12, "411111******1111"),
        ("\u00e94111 1111 1111 1111\u00e9", "\u00e94111 11** **** 1111\u00e9"),
    ],
)
def test_digits_are_masked_where_they_stand(body: str, shown: str) -> None:
    """A digit that is written as an escape is masked whole; six before and four behind stay as they were written."""
    assert show_body(body.encode()) == shown


@pytest.mark.parametrize(
    "body",
    [
        r'{"a": "\u0034\u00e9\ud83d\ude00\/\\\"\n\ud800", "b": "\u12"}',
        r'{"id": "\u0034111 1111 1111 1112", "arn": "7518605612345678901\u00323\u00345"}',
        r"{\"amount\": 12.50, \"at\": \"2026\/11\/20 17:11:05\"}",
        "\\",
        "\\u",
        "",
    ],
)
def test_all_else_is_shown_as_it_came(body: str) -> None:
    """Escapes stay escapes, whether they stand for digits or not, and whether they are whole or not."""
    assert show_body(body.encode()) == body


PARTS = ["4111", "1111", "5", "a", " ", "-", "\n", "\\", '"', r"\u0031", r"\u00a0", r"\n", r"\ud835\udfcf", "\u00e9"]


@given(st.lists(st.sampled_from(PARTS), max_size=40), st.integers(0, 3))
def test_nothing_but_digits_of_card_numbers_changes(parts: list[str], levels: int) -> None:
    """Where no asterisk is, what is shown is the text itself; behind each asterisk was one digit, however written."""
    text = "".join(parts)
    for _ in range(levels):
        text = json.dumps(text)
    digit = r"(?:[0-9]|\\+ud835\\+udfcf|\\+u[0-9a-f]{4})"
    shown = show_body(text.encode())
    assert re.fullmatch(digit.join(map(re.escape, shown.split("*"))), text)
    assert "4111111111111111" not in shown.replace(r"\u0031", "1")
