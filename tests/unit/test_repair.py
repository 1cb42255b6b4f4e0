"""The narrow repair touches a bare UUID value and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.formats.repair import quote_bare_uuids

UUID = "d2599442-95fa-49bf-a0a2-086362ef2283"


@pytest.mark.parametrize(
    ("body", "repaired"),
    [
        (f'{{"a": {UUID}}}', f'{{"a": "{UUID}"}}'),
        (f'{{"a":{UUID} , "b": 1}}', f'{{"a":"{UUID}" , "b": 1}}'),
        (f'{{"a": {UUID}, "b": {UUID.upper()}}}', f'{{"a": "{UUID}", "b": "{UUID.upper()}"}}'),
        (f'{{"a": "x: {UUID},", "b": {UUID}}}', f'{{"a": "x: {UUID},", "b": "{UUID}"}}'),
        (f'{{"a": "\\": {UUID},", "b":\n{UUID}\n}}', f'{{"a": "\\": {UUID},", "b":\n"{UUID}"\n}}'),
    ],
)
def test_bare_uuids_are_quoted(body: str, repaired: str) -> None:
    """Every bare UUID value is quoted, in any case and spacing; a UUID inside a string stays as it is."""
    assert quote_bare_uuids(body.encode()) == repaired.encode()


@pytest.mark.parametrize(
    "body",
    [
        f'{{"a": "{UUID}"}}', f'{{"a": {UUID}0}}', f'{{"a": {UUID[:-1]}}}', f'{{"a": "x: {UUID},"}}', f"[{UUID}]",
        f"{{{UUID}: 1}}", "", f'{{"a": -{UUID}}}', f'{{"a": {UUID} {UUID}}}',
    ],
)  # fmt: skip
def test_nothing_else_is_repaired(body: str) -> None:
    """A quoted UUID, one that is none, one in a list or as a key: there is no repair."""
    assert quote_bare_uuids(body.encode()) is None


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=60) | st.uuids().map(str), max_size=5))
def test_valid_json_is_never_changed(document: dict[str, str]) -> None:
    """There is nothing to repair in what is valid, whatever its strings hold."""
    assert quote_bare_uuids(json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")) is None
