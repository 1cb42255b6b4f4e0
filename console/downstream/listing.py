"""Read subscriptions: the list, and one with what happened to it. Of credentials only what is no secret."""

from typing import Any

from console.connections import Database
from console.operations import read_operations
from console.paging import Page, has_controls, parse_uuid, read_cursor, write_cursor
from console.unreachable import Refused
from schemas.downstream.subscription import unseal_credentials
from schemas.keyring import Keyring, Tampered, UnknownKey

LOG_SHOWN = 20


class NoSuchSubscription(Refused):
    """There is no subscription of this name or id."""


def list_subscriptions(database: Database, limit: int = 100, cursor: str | None = None) -> Page:
    """Return a page of subscriptions by name, without their credentials. Raises BadCursor."""
    (after,) = read_cursor("subscriptions", cursor, str) if cursor else (None,)
    rows = database.execute(SELECT_SUBSCRIPTIONS, {"after": after, "limit": limit + 1}).fetchall()
    more, rows = len(rows) > limit, rows[:limit]
    return Page(rows, write_cursor("subscriptions", rows[-1]["name"]) if more else None)


def read_subscription(database: Database, name: str, keyring: Keyring, bound: int | None = None) -> dict[str, Any]:
    """Return one subscription by name or id, with what happened to it; of its credentials only what is no secret.

    Its deliveries that are due and given up are counted: all of them, which may take long, or each `bound` at most.
    Raises NoSuchSubscription.
    """
    check_name(name)
    values = {"name": name, "id": parse_uuid(name), "bound": bound}
    row = database.execute(SELECT_SUBSCRIPTION, values, prepare=False).fetchone()
    if row is None:
        raise no_subscription(name)
    sealed = row.pop("sealed")
    log = database.execute(SELECT_LOG, {"id": row["id"], "limit": LOG_SHOWN}).fetchall()
    operations = read_operations(database, str(row["id"]))[-LOG_SHOWN:]
    return row | {
        "credentials": show_credentials(sealed, str(row["id"]), keyring),
        "log": log,
        "operations": operations,
    }


def show_credentials(sealed: bytes, subscription_id: str, keyring: Keyring) -> dict[str, Any]:
    """Return of credentials what is no secret; why they cannot be opened, if they cannot."""
    try:
        credentials = unseal_credentials(sealed, subscription_id, keyring)
    except (UnknownKey, Tampered) as error:
        return {"basic_user": None, "headers": [], "former_secrets": 0, "sealed_because": str(error)}
    return {
        "basic_user": credentials.basic[0] if credentials.basic else None,
        "headers": sorted(credentials.headers),
        "former_secrets": len(credentials.retiring),
        "sealed_because": None,
    }


def check_name(name: str) -> None:
    """Refuse a name that no subscription can have. Raises NoSuchSubscription."""
    if has_controls(name):
        raise no_subscription(name)


def no_subscription(name: str) -> NoSuchSubscription:
    """Return the refusal for a name that is none."""
    return NoSuchSubscription(f"there is no subscription {name!r}; see `alert-intake subscriptions list`")


SHOWN = """
    id, name, url, events, state, description, filters, format, leave_out, personal_data, rate_limit, concurrency,
    timeout, failures, failing_since, CASE WHEN asked_until > now() THEN asked_until END AS asked_until, created_at
"""
SELECT_SUBSCRIPTIONS = f"""
    SELECT {SHOWN} FROM subscriptions
    WHERE %(after)s::text IS NULL OR name > %(after)s ORDER BY name LIMIT %(limit)s
"""  # noqa: S608 - of constants
SELECT_SUBSCRIPTION = f"""
    SELECT {SHOWN}, sealed,
           (SELECT count(*) FROM (SELECT FROM outbox WHERE subscription_id = subscriptions.id AND state = 'due'
                                  LIMIT %(bound)s) few) AS due,
           (SELECT count(*) FROM (SELECT FROM outbox WHERE subscription_id = subscriptions.id AND state = 'given_up'
                                  LIMIT %(bound)s) few) AS given_up
    FROM subscriptions WHERE name = %(name)s OR id = %(id)s
"""  # noqa: S608 - of constants
SELECT_LOG = (
    "SELECT at, what, why FROM subscription_log WHERE subscription_id = %(id)s ORDER BY id DESC LIMIT %(limit)s"
)
