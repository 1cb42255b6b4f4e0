"""Seal what must not be read in Redis or Postgres, and make keyed fingerprints of what must be found again.

AES-256-GCM of the `cryptography` library: a sealed 700-byte body costs 2 µs and 33 bytes, where Fernet costs 18 µs and
45 % (its base64). Layout of sealed bytes: version (1) · key id (4) · nonce (12) · ciphertext and tag.
"""

import base64
import binascii
import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.settings.configuration import Sealing
from schemas.settings.secret import ConfigurationError

VERSION = b"\x01"
KEY_BYTES = 32
NONCE_BYTES = 12
SHORTEST = 33  # bytes: sealed nothing


class UnknownKey(Exception):
    """Sealed with a key that is not configured here: a fault of the configuration. Leave the entry where it is."""


class Tampered(Exception):
    """The key is known and the content does not fit it: altered or cut. It will never open."""


class Keyring:
    """The configured keys. The first seals, all of them open."""

    def __init__(self, keys: list[bytes], matching: bytes) -> None:
        self._active = key_id(keys[0])
        self._ciphers = {key_id(key): AESGCM(key) for key in keys}
        self._matching = matching

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the configured keys, as hex, the one that seals first."""
        return tuple(identity.hex() for identity in self._ciphers)

    def seal(self, plain: bytes, bound_to: bytes) -> bytes:
        """Encrypt `plain`. It opens only with the same `bound_to`, so it cannot be moved to another place."""
        nonce = os.urandom(NONCE_BYTES)
        return VERSION + self._active + nonce + self._ciphers[self._active].encrypt(nonce, plain, bound_to)

    def unseal(self, sealed: bytes, bound_to: bytes) -> bytes:
        """Decrypt what `seal` made. Raises UnknownKey or Tampered."""
        if sealed[:1] != VERSION or len(sealed) < SHORTEST:
            raise Tampered("not sealed content")
        cipher = self._ciphers.get(sealed[1:5])
        if cipher is None:
            raise UnknownKey(
                f"no configured sealing key has the id {sealed[1:5].hex()}; add the key it was sealed with"
            )
        try:
            return cipher.decrypt(sealed[5:17], sealed[17:], bound_to)
        except InvalidTag as error:
            raise Tampered("the sealed content was altered") from error

    def fingerprint(self, content: bytes) -> bytes:
        """Return 16 bytes that are equal for equal content and tell nothing about it without the key."""
        return hashlib.blake2b(content, key=self._matching, digest_size=16, person=b"content").digest()

    def card_token(self, number: str) -> bytes:
        """Return 16 bytes by which the same card number is known again, without keeping it."""
        return hashlib.blake2b(number.encode(), key=self._matching, digest_size=16, person=b"card").digest()

    def derive_key(self, purpose: bytes) -> bytes:
        """Return 32 bytes for another purpose (16 bytes name it), the same at every start and of no use for the others.

        They come from the key for matching, which never changes.
        """
        return hashlib.blake2b(key=self._matching, digest_size=KEY_BYTES, person=purpose).digest()


def sealed_by(sealed: bytes) -> str | None:
    """Return the id, as hex, of the key that sealed this; None when it is not sealed content."""
    return sealed[1:5].hex() if sealed[:1] == VERSION and len(sealed) >= SHORTEST else None


def key_id(key: bytes) -> bytes:
    """Name a key without telling it."""
    return hashlib.blake2b(key, digest_size=4, person=b"key id").digest()


def read_key(text: str, setting: str) -> bytes:
    """Decode one base64 key of 32 bytes."""
    try:
        key = base64.b64decode(text.strip(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigurationError(
            f"{setting}: a key is 32 bytes in url-safe base64; `openssl rand -base64 32` makes one"
        )
    return key


def load_keyring(settings: Sealing) -> Keyring:
    """Read the keys that the configuration names."""
    texts = settings.keys.reveal("sealing.keys").replace("+", "-").replace("/", "_").split(",")
    matching = settings.matching.reveal("sealing.matching").replace("+", "-").replace("/", "_")
    keys = [read_key(text, "sealing.keys") for text in texts if text.strip()]
    if not keys:
        raise ConfigurationError("sealing.keys: no key is given; at least one is needed")
    return Keyring(keys, read_key(matching, "sealing.matching"))
