"""Sealing, rotation, fingerprints and tokens."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.keyring import Keyring, Tampered, UnknownKey, load_keyring, read_key
from schemas.settings.configuration import Sealing
from schemas.settings.secret import ConfigurationError, Secret
from tests.unit.messages import KEYRING

OLD, NEW, MATCHING = b"o" * 32, b"n" * 32, b"m" * 32


def text_of(key: bytes) -> str:
    """Write a key as the configuration expects it."""
    return base64.urlsafe_b64encode(key).decode()


@given(st.binary(max_size=500), st.binary(max_size=50))
def test_what_is_sealed_opens(plain: bytes, bound_to: bytes) -> None:
    """A sealed content opens with what it is bound to, costs 33 bytes, and is never sealed alike twice."""
    sealed = KEYRING.seal(plain, bound_to)
    assert KEYRING.unseal(sealed, bound_to) == plain
    assert len(sealed) == len(plain) + 33
    assert KEYRING.seal(plain, bound_to) != sealed


@pytest.mark.parametrize("place", [0, 5, 17, -1])
def test_altered_content_does_not_open(place: int) -> None:
    """One changed bit, wherever it is but in the key's id, a cut, or another binding: tampered."""
    sealed = bytearray(KEYRING.seal(b"content", b"here"))
    with pytest.raises(Tampered):
        KEYRING.unseal(bytes(sealed), b"there")
    with pytest.raises(Tampered):
        KEYRING.unseal(bytes(sealed[:20]), b"here")
    sealed[place] ^= 1
    with pytest.raises(Tampered):
        KEYRING.unseal(bytes(sealed), b"here")


def test_rotation() -> None:
    """After a rotation the new key seals and the old one still opens; without the old one its id is named."""
    before = Keyring([OLD], MATCHING).seal(b"content", b"")
    rotated = Keyring([NEW, OLD], MATCHING)
    assert rotated.unseal(before, b"") == b"content"
    assert Keyring([NEW], MATCHING).unseal(rotated.seal(b"content", b""), b"") == b"content"
    with pytest.raises(UnknownKey, match=before[1:5].hex()):
        Keyring([NEW], MATCHING).unseal(before, b"")


def test_fingerprints_and_tokens_depend_on_the_matching_key_alone() -> None:
    """A rotation of the sealing keys leaves fingerprints and tokens; another matching key makes others."""
    first, rotated, other = Keyring([OLD], MATCHING), Keyring([NEW], MATCHING), Keyring([OLD], b"x" * 32)
    assert first.fingerprint(b"content") == rotated.fingerprint(b"content") != other.fingerprint(b"content")
    assert first.card_token("4111111111111111") == rotated.card_token("4111111111111111")
    assert first.card_token("4111111111111111") != other.card_token("4111111111111111")
    assert first.card_token("4111111111111111") != first.fingerprint(b"4111111111111111")
    assert len(first.fingerprint(b"")) == len(first.card_token("")) == 16


@pytest.mark.parametrize("text", ["", "short", text_of(b"k" * 31), text_of(b"k" * 33), "!" * 44, "ä" * 44])
def test_unusable_key_is_named_by_its_setting(text: str) -> None:
    """A key that is not 32 bytes of base64 stops the start; the message names the setting and not the key."""
    with pytest.raises(ConfigurationError, match=r"^sealing\.keys: a key is 32 bytes") as caught:
        read_key(text, "sealing.keys")
    assert not text or text not in str(caught.value)


def test_keys_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several keys, in either base64 alphabet, come from the named variables; the first seals."""
    monkeypatch.setenv("KEYS", base64.b64encode(b"\xff" * 32).decode() + " , " + text_of(OLD))
    monkeypatch.setenv("MATCHING", text_of(MATCHING))
    keyring = load_keyring(Sealing(keys=Secret(env="KEYS"), matching=Secret(env="MATCHING")))
    assert keyring.unseal(Keyring([OLD], MATCHING).seal(b"content", b""), b"") == b"content"
    assert Keyring([b"\xff" * 32], MATCHING).unseal(keyring.seal(b"content", b""), b"") == b"content"
    assert keyring.fingerprint(b"") == Keyring([OLD], MATCHING).fingerprint(b"")


def test_no_key_at_all_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable with nothing but commas is named like a missing one."""
    monkeypatch.setenv("KEYS", " , ")
    monkeypatch.setenv("MATCHING", text_of(MATCHING))
    with pytest.raises(ConfigurationError, match=r"sealing\.keys"):
        load_keyring(Sealing(keys=Secret(env="KEYS"), matching=Secret(env="MATCHING")))
