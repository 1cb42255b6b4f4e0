"""Reading only what was sent comes to the same as marshmallow's own load."""

from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from schemas.alert.vocabulary import ALIASES
from schemas.formats.alert_schema import readers_of, schema_of
from schemas.formats.reading import load_facts

if TYPE_CHECKING:
    from schemas.alert.alert import Facts
    from schemas.alert.problem import Problem

VALUES = st.one_of(
    st.text(),
    st.text(min_size=990, max_size=1010),
    st.sampled_from(["OPEN", "ECOMMERCE", "2026-11-20T17:11:05Z", "125.40", "usd", "555555", "4444", "\0", "\ud800"]),
    st.from_regex(r"[0-9]{12,20}", fullmatch=True),
    st.booleans(),
    st.decimals(),
    st.just({}),
    st.just([]),
)


@given(st.dictionaries(st.sampled_from(sorted(ALIASES)), VALUES.filter(lambda value: value != "")))
def test_reads_as_marshmallow_loads(sent: dict[str, str | bool | Decimal]) -> None:
    """Whatever was sent, the same facts are read and the same problems are listed as by `Schema.load`."""
    problems: list[Problem] = []
    facts = load_facts(sent, readers_of("UTC"), problems)
    expected: Facts
    reasons: dict[str, list[str]] = {}
    try:
        expected = schema_of("UTC").load(sent)
    except ValidationError as error:
        expected = error.valid_data if isinstance(error.valid_data, dict) else {}
        reasons = error.messages_dict
    assert facts == expected
    assert {problem.field: [problem.why] for problem in problems} == reasons
