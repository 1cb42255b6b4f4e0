"""The door's look at the ids: the same as the workers' reading, for every body."""

import json
from typing import Any

import gevent
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingress.ids import LONG, TURN, Look, find_quickly, look_at_ids
from schemas.formats.document import NotAnAlert, alert_id, read_document, split_alerts
from schemas.settings.secret import Secret
from schemas.settings.sources import Acknowledgement, Format, Header, Source

KEY = Header(name="X-API-Key", value=Secret(env="KEY"))
SOURCES: dict[Format, Source] = {
    "ethoca": Source(name="ethoca", format="ethoca", certificate="optional", credentials=(KEY,)),
    "reseller": Source(
        name="reseller",
        format="reseller",
        certificate="optional",
        credentials=(KEY,),
        repair="bare-uuid",
        acknowledgement=Acknowledgement(shape="status"),
    ),
}


def read_as_workers(body: bytes, source: Source) -> Look:
    """Read a body with nothing but the reading that the workers use."""
    try:
        alerts, listed = split_alerts(read_document(body, source)[0])
    except NotAnAlert as reason:
        return Look((), unreadable=str(reason))
    return Look(tuple(alert_id(alert, source.format) for alert in alerts), listed)


NAMES = st.sampled_from(
    ["alertId", "EthocaID", "ethoca_id", "alert_id", "providerId", "ProviderID", "payload", "alerts", "Alerts", "a"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.sampled_from([0, -0.0, 2**53, 2**63, 2**64 - 1, 2**64, -(2**63) - 1, 1e30, 1.5, 10**254, 10**255, 10**4000])
    | st.text(max_size=4)
    | st.sampled_from(["", "\0", "\ud800", "\ufeff", "x" * 255, "x" * 256, "😀", "A4IM9K2MIYL9F2BPF9TWUIXTU"])
)
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=12
)


def write(document: Any) -> bytes:  # noqa: ANN401 - JSON is of any type
    """Write a document as a sender would, large numbers with all their digits."""
    return json.dumps(document).encode()


@given(document=DOCUMENTS, form=st.sampled_from(["ethoca", "reseller"]))
def test_door_and_workers_see_the_same_ids(document: Any, form: Format) -> None:  # noqa: ANN401 - as above
    """Whatever the document, the door acknowledges the very ids that the workers will find."""
    body = write(document)
    assert look_at_ids(body, SOURCES[form]) == read_as_workers(body, SOURCES[form])


PIECES = st.sampled_from(
    [b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b'"alertId"', b'"providerId"', b'"payload"', b"1", b"-0", b"1e9",
     b"null", b"NaN", b" ", b"\n", b"\xff", b"\xef\xbb\xbf", b"\0", b'"\\ud800"',
     b"d2599442-95fa-49bf-a0a2-086362ef2283"]
)  # fmt: skip


@given(pieces=st.lists(PIECES, max_size=14), form=st.sampled_from(["ethoca", "reseller"]))
@example(pieces=[b"{", b'"alertId"', b":", b"-0", b"}"], form="ethoca")
@example(pieces=[b"\xef\xbb\xbf", b"{", b'"alertId"', b":", b'"x"', b"}"], form="ethoca")
@example(pieces=[b"["] * 65 + [b"]"] * 65, form="ethoca")
@example(pieces=[b"["] * 10_000 + [b"]"] * 10_000, form="reseller")
def test_door_and_workers_agree_on_broken_bodies(pieces: list[bytes], form: Format) -> None:
    """Also of what is hardly JSON, and of what is none, both think the same."""
    body = b"".join(pieces)
    assert look_at_ids(body, SOURCES[form]) == read_as_workers(body, SOURCES[form])


@pytest.mark.parametrize("depth", [63, 64, 65, 1000])
def test_depth_is_bounded_alike(depth: int) -> None:
    """The door refuses what is nested deeper than the workers read."""
    body = b'{"alertId": "x", "a": ' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"
    look = look_at_ids(body, SOURCES["ethoca"])
    assert look == read_as_workers(body, SOURCES["ethoca"])
    assert (look.unreadable is None) == (depth <= 64)


def test_ordinary_bodies_are_read_quickly() -> None:
    """The slow reading is for the rare body only, also when a list holds many alerts."""
    assert find_quickly(b'{"alertId": "x", "amount": 1.5, "memberId": 4567}', "ethoca") is not None
    assert find_quickly(write([{"alertId": str(number)} for number in range(500)]), "ethoca") is not None
    assert find_quickly(b'{"alertId": 7}', "ethoca") is None


ITEMS = 20 * TURN


@pytest.mark.parametrize("item", [{"alertId": "x"}, {"alertId": 7}])
def test_long_list_gives_way(item: object) -> None:
    """While the door looks at a long list others have their turns, whichever way it is read."""
    turns = 0

    def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            gevent.sleep(0)

    other = gevent.spawn(count)
    try:
        assert len(look_at_ids(write([item] * ITEMS), SOURCES["ethoca"]).ids) == ITEMS
        assert turns >= ITEMS // TURN
    finally:
        other.kill()


def test_long_lists_are_looked_at_one_after_another() -> None:
    """Of long lists one at a time takes memory; whoever pushes a few alerts waits for none of them."""
    with LONG:
        long = gevent.spawn(look_at_ids, write([{"alertId": "x"}] * ITEMS), SOURCES["ethoca"])
        gevent.sleep(0.1)
        assert not long.ready()
        assert look_at_ids(b'{"alertId": "x"}', SOURCES["ethoca"]).ids == ("x",)
    assert len(long.get(timeout=60).ids) == ITEMS
