"""Keep subscriptions: which downstream service gets which events, and how a delivery proves itself to it."""

from collections.abc import Iterable
from typing import Any

import psycopg
from uuid_utils.compat import uuid7

from console.alerts import Page, parse_uuid
from console.connections import Database
from console.cursor import read_cursor, write_cursor
from console.unreachable import Refused
from schemas.keyring import Keyring, Tampered, UnknownKey
from schemas.subscription import Credentials, check_events, check_url, seal_credentials, unseal_credentials

MAX_NAME = 100


def add_subscription(
    database: Database,
    keyring: Keyring,
    name: str,
    url: str,
    events: Iterable[str],
    credentials: Credentials,
    *,
    allow_http: bool = False,
    description: str = "",
) -> str:
    """Insert a subscription and return its id. Raises Refused when the name is taken or something cannot work."""
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable() or parse_uuid(name):
        raise Refused(f"name: 1 to {MAX_NAME} printable characters, and not the form of an id")
    try:
        check_url(url)
        wanted = check_events(events)
    except ValueError as error:
        raise Refused(str(error)) from error
    if url.startswith("http://") and not allow_http:
        raise Refused("url: plain http is delivered to only with forwarding.allow_http = true in the configuration")
    subscription_id = str(uuid7())
    try:
        database.execute(
            "INSERT INTO subscriptions (id, name, url, events, sealed, description) VALUES (%s, %s, %s, %s, %s, %s)",
            [
                subscription_id,
                name,
                url,
                list(wanted),
                seal_credentials(credentials, subscription_id, keyring),
                description,
            ],
        )
    except psycopg.errors.UniqueViolation as error:
        raise Refused(f"there is a subscription {name!r} already; remove it first or choose another name") from error
    return subscription_id


def list_subscriptions(database: Database, limit: int = 100, cursor: str | None = None) -> Page:
    """Return a page of subscriptions by name, without their credentials. Raises BadCursor."""
    (after,) = read_cursor("subscriptions", cursor, str) if cursor else (None,)
    rows = database.execute(SELECT_SUBSCRIPTIONS, {"after": after, "limit": limit + 1}).fetchall()
    more, rows = len(rows) > limit, rows[:limit]
    return Page(rows, write_cursor("subscriptions", rows[-1]["name"]) if more else None)


def read_subscription(database: Database, name: str, keyring: Keyring) -> dict[str, Any]:
    """Return one subscription by name or id; of its credentials only what is no secret. Raises Refused."""
    row = database.execute(SELECT_SUBSCRIPTION, {"name": name, "id": parse_uuid(name)}).fetchone()
    if row is None:
        raise Refused(f"there is no subscription {name!r}; see `alert-intake subscriptions list`")
    sealed = row.pop("sealed")
    try:
        credentials = unseal_credentials(sealed, str(row["id"]), keyring)
    except (UnknownKey, Tampered) as error:
        return row | {"credentials": f"cannot be opened: {error}"}
    shown = {"basic_user": credentials.basic[0] if credentials.basic else None, "headers": sorted(credentials.headers)}
    return row | {"credentials": shown}


def set_state(database: Database, name: str, state: str) -> dict[str, Any]:
    """Make a subscription active or paused: while it is paused its events stay due. Raises Refused."""
    row = database.execute(
        "UPDATE subscriptions SET state = %(state)s WHERE name = %(name)s OR id = %(id)s RETURNING id, name, state",
        {"state": state, "name": name, "id": parse_uuid(name)},
    ).fetchone()
    if row is None:
        raise Refused(f"there is no subscription {name!r}; see `alert-intake subscriptions list`")
    return row


def remove_subscription(database: Database, name: str) -> dict[str, Any]:
    """Delete a subscription, and with it whatever is still due to it. Raises Refused."""
    row = database.execute(
        "DELETE FROM subscriptions WHERE name = %(name)s OR id = %(id)s RETURNING id, name",
        {"name": name, "id": parse_uuid(name)},
    ).fetchone()
    if row is None:
        raise Refused(f"there is no subscription {name!r}; see `alert-intake subscriptions list`")
    return row


SELECT_SUBSCRIPTIONS = """
    SELECT id, name, url, events, state, description, created_at FROM subscriptions
    WHERE %(after)s::text IS NULL OR name > %(after)s ORDER BY name LIMIT %(limit)s
"""
SELECT_SUBSCRIPTION = """
    SELECT id, name, url, events, state, description, created_at, sealed,
           (SELECT count(*) FROM outbox WHERE subscription_id = subscriptions.id AND state = 'due') AS due,
           (SELECT count(*) FROM outbox WHERE subscription_id = subscriptions.id AND state = 'given_up') AS given_up
    FROM subscriptions WHERE name = %(name)s OR id = %(id)s
"""
