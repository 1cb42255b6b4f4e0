"""An envelope comes out of the journal as it went in, or not at all."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.journal.envelope import Envelope, Unreadable, binding, open_envelope, seal_envelope
from schemas.keyring import Keyring, Tampered, UnknownKey
from tests.unit.messages import KEYRING


@given(st.binary(max_size=2000), st.integers(0, 2**53))
def test_envelope_survives_the_journal(body: bytes, received_at: int) -> None:
    """Body, source, request id and time come back byte by byte, and the body is nowhere in the entry."""
    envelope = Envelope("ethoca", body, received_at=received_at)
    fields = seal_envelope(envelope, KEYRING)
    assert open_envelope(fields, KEYRING) == envelope
    assert len(body) < 8 or all(body not in value for value in fields.values())


def test_every_envelope_has_its_own_request_id() -> None:
    """Two pushes of the same body are told apart by a UUID each."""
    first, second = Envelope("ethoca", b"{}"), Envelope("ethoca", b"{}")
    assert UUID(first.request_id) != UUID(second.request_id)
    assert first.received_at > 1_600_000_000_000


@pytest.mark.parametrize(
    "change",
    [
        {b"v": b"2"},
        {b"s": b"\xff"},
        {b"t": b"soon"},
        {b"v": None},
        {b"s": None},
        {b"r": None},
        {b"t": None},
        {b"b": None},
    ],
)
def test_foreign_entries_are_unreadable(change: dict[bytes, bytes | None]) -> None:
    """An entry of another version, or with a field missing or senseless, is no envelope."""
    fields = seal_envelope(Envelope("ethoca", b"{}"), KEYRING)
    changed = {name: value for name, value in (fields | change).items() if value is not None}
    with pytest.raises(Unreadable):
        open_envelope(changed, KEYRING)


@pytest.mark.parametrize("change", [{b"s": b"reseller"}, {b"r": b"another"}])
def test_body_is_bound_to_its_source_and_request(change: dict[bytes, bytes]) -> None:
    """A sealed body does not open under another source or request id."""
    fields = seal_envelope(Envelope("ethoca", b"{}"), KEYRING)
    with pytest.raises(Tampered):
        open_envelope(fields | change, KEYRING)


def test_missing_key_is_no_fault_of_the_entry() -> None:
    """An entry sealed with a key that is not configured here is told apart from an altered one."""
    fields = seal_envelope(Envelope("ethoca", b"{}"), Keyring([b"x" * 32], b"m" * 32))
    with pytest.raises(UnknownKey):
        open_envelope(fields, KEYRING)


def test_bindings_differ() -> None:
    """What a body is bound to names the source and the request."""
    assert binding("ethoca", "1") != binding("reseller", "1")
    assert binding("ethoca", "1") != binding("ethoca", "2")
