"""The pure parts of remote enrichment: circuit, cache, what is pending and failed, what may be configured."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from schemas.downstream.forwarded import enrichment_of, forward_body
from schemas.settings.enrichers import RESERVED, Enrichment, Lookup, Plugin, RemoteEnrichment
from tests.unit.messages import alert_of, read_ethoca
from workers.enrichers.additions import MOST_BYTES, UnusableAddition, check_additions
from workers.enrichers.enricher import Rules
from workers.enrichers.local import enrich_alert
from workers.intake.hold import with_pending
from workers.lookups.asking import Refused, Remote, Unavailable
from workers.lookups.cache import MOST_ANSWERS, AnswerCache
from workers.lookups.circuit import Circuit
from workers.lookups.settle import settle_enrichment


class Clock:
    """A clock that stands until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_circuit_opens_and_admits_one_at_a_time() -> None:
    """After three failures nobody is admitted for ten seconds, then one; its success admits all."""
    clock = Clock()
    circuit = Circuit(3, 10, clock)
    for _ in range(2):
        assert circuit.admit()
        circuit.note_failure()
    assert circuit.admit()
    circuit.note_failure()
    assert (circuit.admit(), circuit.seconds_closed()) == (False, 10)
    clock.now = 10
    assert (circuit.admit(), circuit.admit(), circuit.seconds_closed()) == (True, False, 0)
    circuit.note_failure()
    assert (circuit.admit(), circuit.seconds_closed()) == (False, 10)
    clock.now = 20
    assert circuit.admit()
    circuit.note_success()
    assert (circuit.admit(), circuit.admit(), circuit.seconds_closed()) == (True, True, 0)


def test_success_begins_the_count_anew() -> None:
    """Only failures in a row count."""
    circuit = Circuit(2, 10, Clock())
    for _ in range(5):
        circuit.note_failure()
        circuit.note_success()
    assert circuit.admit()


def test_cache_forgets_what_is_old_and_what_is_too_much() -> None:
    """An answer is good until its time is over; beyond the limit the ones used longest ago go."""
    clock = Clock()
    cache = AnswerCache(60, clock)
    cache.keep(b"one", {"a": 1})
    clock.now = 59.9
    assert cache.find(b"one") == {"a": 1}
    clock.now = 60
    assert cache.find(b"one") is None
    for number in range(MOST_ANSWERS):
        cache.keep(str(number).encode(), {})
    assert cache.find(b"0") == {}
    cache.keep(b"another", {})
    assert (cache.find(b"0"), cache.find(b"1")) == ({}, None)


def test_cache_of_no_seconds_keeps_nothing() -> None:
    """With 0 seconds every alert is asked about."""
    cache = AnswerCache(0, Clock())
    cache.keep(b"one", {})
    assert cache.find(b"one") is None


@pytest.mark.parametrize(
    ("raised", "expected", "counts"),
    [
        (Unavailable("status 500"), Unavailable, True),
        (KeyError("x"), Unavailable, True),
        (Refused("no"), Refused, False),
    ],
)
def test_every_failure_is_one_of_two(raised: Exception, expected: type[Exception], *, counts: bool) -> None:
    """Whatever an enricher raises is worth asking again or not, and only the first counts against it."""

    def ask(_alert: object) -> object:
        raise raised

    circuit = Circuit(1, 10, Clock())
    remote = Remote("orders", ask, lambda _alert: b"", 1.0, AnswerCache(60), circuit)
    with pytest.raises(expected):
        remote.answer(alert_of(read_ethoca({})))
    assert circuit.admit() is not counts


@pytest.mark.parametrize(
    "given",
    [None, [1], {"a": {1}}, {"a": "x" * MOST_BYTES}, {1: 2}, {"a": 2**70}, {"a": "\ud800"}],
    ids=["nothing", "list", "set", "long", "key", "integer", "surrogate"],
)
def test_what_is_no_small_json_object_is_refused(given: object) -> None:
    """What could not be stored is found out before it is written."""
    with pytest.raises(UnusableAddition):
        check_additions(given)


def test_additions_become_plain_json() -> None:
    """Times and the like become text; NUL is replaced, in keys too; ordinary numbers stay."""
    moment = datetime(2026, 11, 20, tzinfo=UTC)
    given = {"at": moment, "n": [1, 2.5, True, None, 4111111111111112], "a\0b": "c\0d"}
    assert check_additions(given) == {
        "at": "2026-11-20T00:00:00+00:00", "n": [1, 2.5, True, None, 4111111111111112], "a\ufffdb": "c\ufffdd",
    }  # fmt: skip


def test_pending_gives_way_to_what_came_of_it() -> None:
    """What was asked is added or named among the failed; what others added stays, and so does what was added before."""
    before = {"merchant": {"merchant_id": "m"}, "orders": {"order": 1}, "failed": ["merchant_table", "orders"]}
    pending = with_pending(before, ("orders", "loyalty"))
    assert pending == {
        "merchant": {"merchant_id": "m"}, "orders": {"order": 1}, "failed": ["merchant_table"],
        "pending": ["orders", "loyalty"],
    }  # fmt: skip
    assert settle_enrichment(pending, {"orders": {"order": 2}, "loyalty": {}}, []) == {
        "merchant": {"merchant_id": "m"}, "orders": {"order": 2}, "failed": ["merchant_table"],
    }  # fmt: skip
    assert settle_enrichment(pending, {}, ["orders", "loyalty"]) == {
        "merchant": {"merchant_id": "m"}, "orders": {"order": 1}, "failed": ["merchant_table", "orders", "loyalty"],
    }  # fmt: skip


def test_what_is_pending_when_it_goes_out_has_failed() -> None:
    """A receiver never sees `pending`."""
    alert = alert_of(read_ethoca({}), enrichment={"failed": ["merchant"], "pending": ["orders"]})
    enrichment = json.loads(forward_body(alert, "alert.created", "2026-11-20T18:00:00.000Z"))["enrichment"]
    assert enrichment["failed"] == ["merchant", "orders"]
    assert "pending" not in enrichment
    assert alert.enrichment["pending"] == ["orders"]


def test_local_run_leaves_what_remote_ones_have_said() -> None:
    """A later message does not take back an order, nor the mark that one is missing."""
    alert = alert_of(read_ethoca({}), enrichment={"orders": {"order": None}, "failed": ["loyalty", "card_network"]})
    enrich_alert(alert, Rules(remote=("orders", "loyalty")))
    assert alert.enrichment == {"orders": {"order": None}, "failed": ["loyalty"]}


def test_plugin_cannot_change_the_alert() -> None:
    """A plug-in gets a copy, and what it adds stands under its own name, whatever it is called."""

    def meddle(alert: Any, _rules: Rules) -> dict[str, object]:  # noqa: ANN401 - it does what its type forbids
        alert.facts["amount"] = "0.01"
        alert.status = "resolved"
        return {"card_network": "none", "failed": []}

    alert = alert_of(read_ethoca({"amount": "5.00", "cardBin": "555555"}))
    enrich_alert(alert, Rules(plugins={"meddler": meddle}))
    assert (alert.facts["amount"], alert.status, alert.card_network) == ("5.00", "open", "mastercard")
    assert alert.enrichment["meddler"] == {"card_network": "none", "failed": []}


def test_reserved_names_cover_what_goes_out() -> None:
    """No enricher can be called as something that `enrichment` holds already."""
    alert = alert_of(read_ethoca({"amount": "5.00", "currency": "USD"}))
    enrich_alert(alert, Rules())
    assert set(enrichment_of(alert)) | {"merchant", "failed", "pending"} <= RESERVED


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"plugins": [{"name": "merchant"}]}, "merchant"),
        ({"plugins": [{"name": "Loyalty"}]}, "Loyalty"),
        ({"plugins": [{"name": "a"}, {"name": "a"}]}, "share the name a"),
        ({"plugins": [{"name": "a", "timeout": 0}]}, "timeout"),
        ({"lookups": [{"name": "orders", "url": "http://orders.example/"}]}, "allow_http"),
        ({"lookups": [{"name": "orders", "url": "https://user:secret@orders.example/"}]}, "without a user"),
        ({"lookups": [{"name": "orders", "url": "ftp://orders.example/"}]}, "https"),
        ({"lookups": [{"name": "orders", "url": "https://orders.example/", "retries": 3}]}, "retries"),
        ({"remote": {"give_up_after": 0}}, "give_up_after"),
        ({"remote": {"concurrency": 0}}, "concurrency"),
    ],
)
def test_settings_that_could_only_fail_later_are_refused(table: dict[str, object], why: str) -> None:
    """One line says which, without quoting a URL."""
    with pytest.raises(msgspec.ValidationError, match=why) as refused:
        msgspec.convert(table, Enrichment)
    assert "secret" not in str(refused.value)


def test_remote_names_are_those_that_ask_a_server() -> None:
    """Look-ups first, then the remote plug-ins; local ones make nothing wait."""
    settings = Enrichment(
        plugins=(Plugin(name="local"), Plugin(name="far", remote=True)),
        lookups=(Lookup(name="orders", url="https://orders.example/"),),
        remote=RemoteEnrichment(),
    )
    assert settings.remote_names == ("orders", "far")
