"""The session of a person: a signed cookie that says which token was shown at the sign-in, and when.

It holds the token's digest, so a token that is revoked, expired or replaced in the configuration ends every session
that it began. The cookie is Flask's: signed, not encrypted; the digest is keyed and of no use to who reads it.
"""

import time
from datetime import timedelta

from flask import Flask, session

LIFETIME = timedelta(hours=12)
PURPOSE = b"console session"  # of the key that signs
CLOCK_SECONDS = 60.0  # by which the clocks of two hosts may differ


def configure_sessions(app: Flask, key: bytes, *, https: bool) -> None:
    """Let `app` sign its cookies with `key`, and keep them from scripts and other sites.

    Behind https the cookie bears the prefix ``__Host-``: no other host, no path and no plain HTTP can set it.
    """
    app.secret_key = key
    app.config.update(
        SESSION_COOKIE_NAME="__Host-alert-intake" if https else "alert-intake",
        SESSION_COOKIE_SECURE=https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_PATH="/",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=LIFETIME,
    )


def begin_session(digest: bytes) -> None:
    """Sign somebody in: whatever the session held is forgotten, its anti-forgery token too."""
    session.clear()
    session.permanent = True
    session.update(token=digest.hex(), since=int(time.time()))


def end_session() -> None:
    """Sign out: the cookie is deleted."""
    session.clear()


def read_digest() -> bytes | None:
    """Return the digest of the token that was shown at the sign-in; None when there is no session or it is over.

    Its age is counted from the sign-in, whatever has been written into the session since.
    """
    digest, since = session.get("token"), session.get("since")
    if not isinstance(digest, str) or not isinstance(since, int):
        return None
    age = time.time() - since
    return bytes.fromhex(digest) if -CLOCK_SECONDS <= age < LIFETIME.total_seconds() else None
