"""Recognise who shows a token: the one in the configuration, which may operate, or one of those in the database."""

import hmac
import time
from collections.abc import Callable
from contextlib import suppress

import structlog
from psycopg_pool import PoolTimeout

from console.access.caller import Caller
from console.access.digest import digest_token, looks_like_token
from console.access.tokens import find_caller, note_use
from console.connections import open_database
from console.operations import CONSOLE
from console.pool import ReadPool
from console.unreachable import Unreachable

LOOK_SECONDS = 5.0  # how soon a stream that is open learns that its token was revoked

log = structlog.get_logger()


class Admission:
    """Knows the tokens: the configured one, which may operate, and those in the database."""

    def __init__(self, token: str, key: bytes, pool: ReadPool) -> None:
        self._configured = digest_token(token, key)
        self._key = key
        self._pool = pool

    def recognise(self, text: str | None) -> tuple[Caller, bytes] | None:
        """Return who shows this token, and its digest; None when it admits nobody."""
        digest = digest_token(text or "", self._key)
        found = self.recognise_digest(digest, kept=looks_like_token(text or ""))
        return (found, digest) if found else None

    def recognise_digest(self, digest: bytes, *, kept: bool = True) -> Caller | None:
        """Return who bears the token of this digest. `kept`: it may be one of the database's, so look it up."""
        if hmac.compare_digest(digest, self._configured):
            return Caller(CONSOLE, "operate")
        if not kept:
            return None
        with self._pool.connection() as database:
            found = find_caller(database, digest)
        if found is None:
            return None
        caller, stale = found
        if stale:
            self._note_use(digest)
        return caller

    def watch(self, digest: bytes, seconds: float = LOOK_SECONDS) -> Callable[[], bool]:
        """Return a function that tells whether a token that admitted has ceased to; it looks every `seconds`.

        While the database does not answer it goes on as it was.
        """
        look_at, over = time.monotonic() + seconds, False

        def lapsed() -> bool:
            nonlocal look_at, over
            if not over and time.monotonic() >= look_at:
                with suppress(Unreachable, PoolTimeout):
                    over = self.recognise_digest(digest) is None
                look_at = time.monotonic() + seconds
            return over

        return lapsed

    def _note_use(self, digest: bytes) -> None:
        """Note the use. It is only told to operators: a database that cannot write just now keeps nobody out."""
        try:
            with open_database(writable=True) as database:
                note_use(database, digest)
        except Unreachable as error:
            log.warning("use_not_noted", why=str(error))
