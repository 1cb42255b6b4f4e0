"""Make tokens, and the digest by which one is known again.

A token is 256 bits of the operating system's randomness. A slow hash (scrypt, argon2) exists to make guessing a
password dear; nobody guesses 256 bits, so it would only make every request slow. The digest is keyed all the same: who
can write to the database, or puts back a backup of it, cannot add a token of his own without the key.
"""

import hashlib
import hmac
import re
import secrets

# What is fixed at the beginning of a secret lets scanners find one that was committed or pasted somewhere.
PREFIX = "ait_"
BITS = 256
SHAPE = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}", re.ASCII)
PURPOSE = b"console token"  # of the key under which digests are made


def make_token() -> str:
    """Return a new token."""
    return PREFIX + secrets.token_urlsafe(BITS // 8)


def looks_like_token(text: str) -> bool:
    """Tell whether a text has the shape of what `make_token` makes: nothing else need be looked up."""
    return SHAPE.fullmatch(text) is not None


def digest_token(text: str, key: bytes) -> bytes:
    """Return the 32 bytes by which a token is known: HMAC-SHA-256 under a key of this installation."""
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256)
