"""Whatever JSON a sender thinks of: an alert with a usable id is read, and what is read can be stored and shown."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.alert.alert import FACTS, Message
from schemas.alert.content import content_of
from schemas.alert.presented import present_alert
from schemas.alert.vocabulary import ALIASES
from schemas.downstream.forwarded import forward_body
from schemas.formats.document import parse_json
from tests.unit.messages import ETHOCA, RECEIVED_AT, RESELLER, alert_of, read_body, read_ethoca, read_reseller
from workers.enrichers.enricher import Rules
from workers.enrichers.local import enrich_alert

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(), max_size=40)
    | st.sampled_from(
        ["2026-11-20T17:11:05Z", "0000-01-01", "99999-01-01", "1e999", "\0", "\ud800", "4111111111111111"]
    )
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
)
NAMES = st.sampled_from(sorted({name for spellings in ALIASES.values() for name in spellings})) | st.text(max_size=12)
ALERTS = st.dictionaries(NAMES, JSON, max_size=12)

MONSTERS: list[str] = [
    "1" * 10_000, "-" + "9" * 10_000, "1e999999999", "1E-999999999", "1e99999999999999999999", "0." + "0" * 9_999 + "1",
    '"' + "9" * 10_000 + '"', '"\\u0000"', '"\\ud800"', '"\\udfff\\ud800"', '"' + "4 " * 5_000 + '"',
    '"' + "4111111111111111 " * 600 + '"', '"0000-01-01T00:00:00Z"', '"99999-01-01T00:00:00Z"',
    '"9999-12-31T23:59:59-23:59"', '"0001-01-01T00:00:00+23:59"', "[" * 60 + "]" * 60,
    '{"value":' * 60 + "1" + "}" * 60,
    "true", "{}", "[]", '""', '{"value": 1e400, "currencyCode": "\\u0000"}', '{"value": true, "currencyCode": []}',
    '"' + "\u0130" * 64 + '"', '"' + "\U0001f600" * 1_000 + '"',
]  # fmt: skip


def assert_storable(message: Message) -> None:
    """Check what the pipeline relies on: canonical names, storable text of bounded length, no card number."""
    assert set(message.facts) <= set(FACTS)
    problems = [text for problem in message.problems for text in (problem.field, problem.value, problem.why)]
    shown = [*message.facts.values(), *problems, message.network, message.status or "", message.event or ""]
    for text in shown:
        text.encode()
        assert "\0" not in text
        assert len(text) <= 1000
        assert "4111111111111111" not in text
    assert all(message.facts.values())
    assert all(len(problem.value) <= 100 for problem in message.problems)
    assert len(message.network) <= 128
    content_of(message)
    alert = alert_of(message)
    enrich_alert(alert, Rules())
    assert "failed" not in alert.enrichment
    msgspec.json.encode(present_alert(alert))
    assert len(json.loads(forward_body(alert, "alert.created", RECEIVED_AT))["payload"]) == 46


@given(ALERTS)
def test_ethoca_reads_any_alert(fields: dict[str, Any]) -> None:
    """Arbitrary JSON around an id is an alert of Ethoca's."""
    assert_storable(read_ethoca(fields | {"alertId": "A1"}))


@given(ALERTS, JSON, JSON)
def test_reseller_reads_any_alert(payload: dict[str, Any], event: object, timestamp: object) -> None:
    """Arbitrary JSON around an id is an alert of a reseller's, whatever its envelope holds."""
    assert_storable(read_reseller(payload | {"providerId": "A1"}, event=event, timestamp=timestamp))


@pytest.mark.parametrize("monster", MONSTERS, ids=range(len(MONSTERS)))
def test_monsters_in_every_field(monster: str) -> None:
    """NUL, surrogates, 10,000 digits, huge exponents, impossible years and depth in every field: the alert lives."""
    fields = ", ".join(f'"{spellings[0]}": {monster}' for spellings in ALIASES.values())
    assert_storable(read_body(f'{{"alertId": "A1", {fields}}}'.encode(), ETHOCA))
    body = f'{{"event": {monster}, "timestamp": {monster}, "payload": {{"providerId": "A1", {fields}}}}}'
    assert_storable(read_body(body.encode(), RESELLER))


@given(JSON)
def test_parsing_gives_back_what_was_written(document: object) -> None:
    """Strict parsing reads every JSON document of ordinary depth; integers keep every digit as text."""
    read = parse_json(json.dumps(document).encode())
    if isinstance(document, int) and not isinstance(document, bool):
        assert read == str(document)
    elif isinstance(document, str | bool | type(None)):
        assert read == document
    else:
        assert type(read) is type(document) or isinstance(document, float)
