"""Keep tokens: make, list, revoke and find them. Each write notes who made it, in its own transaction."""

import hmac
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from uuid_utils.compat import uuid7

from console.access.caller import Caller, Role
from console.access.digest import digest_token, make_token
from console.connections import Database
from console.operations import CONSOLE, note_operation
from console.unreachable import Refused

LONGEST_NAME = 100
USED_SECONDS = 60  # how exact `last_used_at` is: no more than a write a minute and token


class NameTaken(Refused):
    """A token of this name is in use."""


class BadName(Refused):
    """The name would not do."""


class NoSuchToken(Refused):
    """There is no token of this name or id that could be revoked."""


def add_token(
    database: Database, name: str, role: Role, expires_at: datetime | None, key: bytes, actor: str
) -> tuple[str, str]:
    """Make a token and return its id and the token itself, which is kept nowhere. Raises NameTaken or BadName."""
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable() or name.strip() != name:
        raise BadName(f"a name has 1 to {LONGEST_NAME} printable characters, and no space around them")
    if name == CONSOLE:
        raise BadName(f"{CONSOLE!r} is the name of the token in the configuration; choose another name")
    token_id, token = str(uuid7()), make_token()
    row = {"id": token_id, "name": name, "role": role, "digest": digest_token(token, key), "expires_at": expires_at}
    try:
        database.execute(INSERT_ROW, row)
    except psycopg.errors.UniqueViolation as error:
        raise NameTaken(f"there is a token {name!r} already; choose another name, or revoke it first") from error
    until = f"until {expires_at:%Y-%m-%d}" if expires_at else "without an end"
    note_operation(database, actor, "add token", token_id, f"{name}, may {role}, {until}")
    return token_id, token


def revoke_token(database: Database, name: str, actor: str) -> dict[str, Any]:
    """End a token, found by name or id, at once and for good. Raises NoSuchToken."""
    row = database.execute(REVOKE_LIVE, {"name": name}).fetchone()
    if row is None:
        raise NoSuchToken(f"there is no token {name!r} in use; see `alert-intake tokens list`")
    note_operation(database, actor, "revoke token", str(row["id"]), row["name"])
    return row


def list_tokens(database: Database, *, revoked: bool = False) -> list[dict[str, Any]]:
    """Return the tokens by name, those that were revoked too if asked for. No digest is among it."""
    return database.execute(SELECT_TOKENS, {"revoked": revoked}).fetchall()


def find_caller(database: Database, digest: bytes) -> tuple[Caller, bool] | None:
    """Return who bears the token of this digest, and whether its use is to be noted; None for one that does not admit.

    The look-up goes by index and may take longer the more bytes agree; that tells of a keyed digest which nobody
    outside can compute, and the whole is compared once more in constant time.
    """
    row = database.execute(SELECT_LIVE, {"digest": digest, "seconds": USED_SECONDS}).fetchone()
    if row is None or not hmac.compare_digest(bytes(row["digest"]), digest):
        return None
    return Caller(row["name"], row["role"], row["expires_at"]), row["stale"]


def note_use(database: Database, digest: bytes) -> None:
    """Note that a token was used now."""
    database.execute(UPDATE_USED, {"digest": digest, "seconds": USED_SECONDS})


INSERT_ROW = """
    INSERT INTO tokens (id, name, role, digest, expires_at)
    VALUES (%(id)s, %(name)s, %(role)s, %(digest)s, %(expires_at)s)
"""
REVOKE_LIVE = """
    UPDATE tokens SET revoked_at = now()
    WHERE (name = %(name)s OR id::text = %(name)s) AND revoked_at IS NULL
    RETURNING id, name, role, revoked_at
"""
SELECT_TOKENS = """
    SELECT id, name, role, made_at, last_used_at, expires_at, revoked_at,
           CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired' ELSE 'valid' END
               AS state
    FROM tokens WHERE revoked_at IS NULL OR %(revoked)s ORDER BY name, id
"""
STALE = sql.SQL("(last_used_at IS NULL OR last_used_at < now() - make_interval(secs => %(seconds)s))")
SELECT_LIVE = sql.SQL("""
    SELECT name, role, expires_at, digest, {stale} AS stale
    FROM tokens
    WHERE digest = %(digest)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
""").format(stale=STALE)
UPDATE_USED = sql.SQL("UPDATE tokens SET last_used_at = now() WHERE digest = %(digest)s AND ") + STALE
