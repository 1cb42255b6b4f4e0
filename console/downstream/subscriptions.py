"""Keep subscriptions: which downstream service gets which events, and how a delivery proves itself to it.

Credentials go in and never come out again. Each write notes who made it, in its own transaction.
"""

from typing import Any

import msgspec
import psycopg
from psycopg import sql
from uuid_utils.compat import uuid7

from console.connections import Database
from console.downstream.listing import no_subscription
from console.downstream.terms import TERMS_FIELDS, Proof, Terms, read_terms
from console.operations import note_operation
from console.paging import parse_uuid
from console.unreachable import Refused
from schemas.downstream.subscription import (
    Credentials,
    generate_secret,
    rotate_secret,
    seal_credentials,
    unseal_credentials,
)
from schemas.keyring import Keyring, Tampered, UnknownKey


class NameTaken(Refused):
    """Another subscription has this name."""


class BadTerms(Refused):
    """A subscription of these terms could not work. The message quotes no secret."""


def add_subscription(
    database: Database, keyring: Keyring, terms: Terms, credentials: Credentials, actor: str, *, allow_http: bool
) -> str:
    """Insert a subscription and return its id. Raises NameTaken or BadTerms."""
    check_scheme(terms, allow_http=allow_http)
    subscription_id = str(uuid7())
    row = terms.to_row() | {"id": subscription_id, "sealed": seal_credentials(credentials, subscription_id, keyring)}
    statement = sql.SQL("INSERT INTO subscriptions ({names}) VALUES ({values})").format(
        names=sql.SQL(", ").join(map(sql.Identifier, row)), values=sql.SQL(", ").join(map(sql.Placeholder, row))
    )
    try:
        database.execute(statement, row)
    except psycopg.errors.UniqueViolation as error:
        raise NameTaken(f"there is a subscription {terms.name!r} already; choose another name") from error
    note_operation(database, actor, "add subscription", subscription_id, terms.name)
    return subscription_id


def change_subscription(
    database: Database,
    keyring: Keyring,
    name: str,
    changes: dict[str, Any],
    proof: dict[str, Any],
    actor: str,
    *,
    allow_http: bool,
) -> str:
    """Change what `changes` (fields of Terms) and `proof` (fields of Proof) name, and nothing else. Return its id.

    Raises NoSuchSubscription, NameTaken or BadTerms. The row stays held, and drains and forwarders wait for it or pass
    it over, until the transaction is committed: whoever wants to show it reads it after that.
    """
    row = hold_subscription(database, name)
    try:
        terms = read_terms({field: row[field] for field in TERMS_FIELDS} | changes)
        if proof:
            credentials = unseal_credentials(row["sealed"], str(row["id"]), keyring)
            kept = {"basic": credentials.basic and dict(zip(("user", "password"), credentials.basic, strict=True))}
            given = msgspec.convert(kept | {"headers": credentials.headers} | proof, Proof).credentials()
            credentials = msgspec.structs.replace(credentials, basic=given.basic, headers=given.headers)
            row["sealed"] = seal_credentials(credentials, str(row["id"]), keyring)
    except (ValueError, UnknownKey, Tampered) as error:
        raise BadTerms(str(error)) from error
    if "url" in changes:
        check_scheme(terms, allow_http=allow_http)
    changed = terms.to_row() | {"sealed": row["sealed"]}
    statement = sql.SQL("UPDATE subscriptions SET {changes} WHERE id = {id}").format(
        changes=sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(field), sql.Placeholder(field)) for field in changed
        ),
        id=sql.Placeholder("id"),
    )
    try:
        database.execute(statement, changed | {"id": row["id"]})
    except psycopg.errors.UniqueViolation as error:
        raise NameTaken(f"there is a subscription {terms.name!r} already; choose another name") from error
    note_operation(database, actor, "change subscription", str(row["id"]), ", ".join(sorted({*changes, *proof})))
    wake_forwarders(database)
    return str(row["id"])


def rotate_signing_secret(
    database: Database, keyring: Keyring, name: str, overlap: float, actor: str
) -> dict[str, Any]:
    """Give a subscription a new signing secret; the present one goes on signing beside it for `overlap` seconds.

    Return the secret, which is not shown again. Raises NoSuchSubscription or BadTerms.
    """
    row = hold_subscription(database, name)
    secret = generate_secret()
    try:
        credentials = unseal_credentials(row["sealed"], str(row["id"]), keyring)
        credentials = rotate_secret(credentials, secret, overlap, read_time(database))
    except (ValueError, UnknownKey, Tampered) as error:
        raise BadTerms(str(error)) from error
    sealed = seal_credentials(credentials, str(row["id"]), keyring)
    database.execute("UPDATE subscriptions SET sealed = %s WHERE id = %s", [sealed, row["id"]])
    note_operation(database, actor, "rotate secret", str(row["id"]), f"overlap {overlap:g} s")
    return {"id": row["id"], "name": row["name"], "secret": secret, "former_secrets": len(credentials.retiring)}


def hold_subscription(database: Database, name: str) -> dict[str, Any]:
    """Lock one subscription by name or id and return its row. Raises NoSuchSubscription."""
    row = database.execute(HOLD_SUBSCRIPTION, {"name": name, "id": parse_uuid(name)}).fetchone()
    if row is None:
        raise no_subscription(name)
    return row


def read_time(database: Database) -> float:
    """Return the database's time, in seconds of the epoch."""
    (row,) = database.execute("SELECT extract(epoch FROM clock_timestamp())::float8 AS now").fetchall()
    return float(row["now"])


def check_scheme(terms: Terms, *, allow_http: bool) -> None:
    """Refuse plain http unless deliveries to it are allowed. Raises BadTerms."""
    if not terms.url.lower().startswith("https://") and not allow_http:
        raise BadTerms("url: plain http is delivered to only with forwarding.allow_http = true in the configuration")


def wake_forwarders(database: Database) -> None:
    """Let forwarders look again, when the transaction is committed."""
    database.execute("SELECT pg_notify('alert_intake_due', '')")


HOLD_SUBSCRIPTION = "SELECT * FROM subscriptions WHERE name = %(name)s OR id = %(id)s FOR NO KEY UPDATE"
