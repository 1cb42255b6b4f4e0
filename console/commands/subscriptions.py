"""`alert-intake subscriptions`: which downstream services get which events."""

from collections.abc import Sequence
from pathlib import Path

import click

from console.alerts import MAX_LIMIT
from console.connections import open_database
from console.cursor import BadCursor
from console.report import print_json, print_table, reporting
from console.subscriptions import (
    add_subscription,
    list_subscriptions,
    read_subscription,
    remove_subscription,
    set_state,
)
from console.unreachable import Refused
from schemas.configuration import load_configuration
from schemas.keyring import Keyring, load_keyring
from schemas.subscription import DEFAULT_EVENTS, Credentials, generate_secret


@click.group()
def subscriptions() -> None:
    """Say which downstream services get which events."""


@subscriptions.command("add")
@reporting
@click.argument("name")
@click.argument("url")
@click.option(
    "--event", "events", multiple=True, default=DEFAULT_EVENTS, show_default=True,
    help="An event wanted, or a pattern such as alert.* or *; may be repeated.",
)  # fmt: skip
@click.option("--basic", metavar="USER:PASSWORD", help="HTTP Basic towards the service; @FILE reads it from a file.")
@click.option(
    "--header", "headers", multiple=True, metavar="NAME:VALUE",
    help="A header, such as X-API-Key:...; @FILE reads it from a file. May be repeated.",
)  # fmt: skip
@click.option("--description", default="", help="For people.")
def add_command(
    as_json: bool,
    name: str,
    url: str,
    events: Sequence[str],
    basic: str | None,
    headers: Sequence[str],
    description: str,
) -> None:
    """Add a subscription NAME that delivers to URL, and print its signing secret, this once."""
    configuration = load_configuration()
    credentials = read_credentials(basic, headers)
    with open_database(writable=True) as database:
        subscription_id = add_subscription(
            database,
            load_keyring(configuration.sealing),
            name,
            url,
            events,
            credentials,
            allow_http=configuration.forwarding.allow_http,
            description=description,
        )
    if as_json:
        print_json({"id": subscription_id, "name": name, "url": url, "events": events, "secret": credentials.secret})
    else:
        click.echo(f"added {name}: {subscription_id}")
        click.echo(f"signing secret (Standard Webhooks; not shown again): {credentials.secret}")


@subscriptions.command("list")
@reporting
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=100, show_default=True)
@click.option("--cursor", help="Go on where a list was left: its next_cursor.")
def list_command(as_json: bool, limit: int, cursor: str | None) -> None:
    """List subscriptions by name."""
    with open_database() as database:
        try:
            page = list_subscriptions(database, limit, cursor)
        except BadCursor as error:
            raise Refused(str(error)) from error
    if as_json:
        print_json({"data": page.rows, "next_cursor": page.next_cursor})
        return
    print_table(
        ("name", "url", "events", "state", "description", "id"),
        (
            (row["name"], row["url"], ", ".join(row["events"]), row["state"], row["description"], row["id"])
            for row in page.rows
        ),
    )
    if page.next_cursor:
        click.echo(f"more: --cursor {page.next_cursor}")


@subscriptions.command("show")
@reporting
@click.argument("name", metavar="NAME|ID")
def show_command(as_json: bool, name: str) -> None:
    """Show one subscription; of its credentials only what is no secret."""
    with open_database() as database:
        subscription = read_subscription(database, name, open_keyring())
    if as_json:
        print_json(subscription)
    else:
        print_table(("field", "value"), subscription.items())


@subscriptions.command("pause")
@reporting
@click.argument("name", metavar="NAME|ID")
def pause_command(as_json: bool, name: str) -> None:
    """Pause deliveries to a subscription; they stay due until it is resumed."""
    change_state(name, "paused", as_json=as_json)


@subscriptions.command("resume")
@reporting
@click.argument("name", metavar="NAME|ID")
def resume_command(as_json: bool, name: str) -> None:
    """Resume deliveries to a subscription, with whatever became due meanwhile."""
    change_state(name, "active", as_json=as_json)


@subscriptions.command("remove")
@reporting
@click.argument("name", metavar="NAME|ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove_command(as_json: bool, name: str, yes: bool) -> None:
    """Remove a subscription, and with it every delivery that is still due to it."""
    keyring = open_keyring()
    with open_database(writable=True) as database:
        due = read_subscription(database, name, keyring)["due"]
        database.commit()
        if not yes:
            click.confirm(f"Remove {name}, with {due} deliveries still due to it?", abort=True, err=True)
        removed = remove_subscription(database, name)
    if as_json:
        print_json(removed)
    else:
        click.echo(f"removed {removed['name']}")


def change_state(name: str, state: str, *, as_json: bool) -> None:
    """Set the state of a subscription and report it."""
    with open_database(writable=True) as database:
        changed = set_state(database, name, state)
    if as_json:
        print_json(changed)
    else:
        click.echo(f"{changed['name']} is {changed['state']}")


def open_keyring() -> Keyring:
    """Load the keys that the configuration names."""
    return load_keyring(load_configuration().sealing)


def read_credentials(basic: str | None, headers: Sequence[str]) -> Credentials:
    """Make credentials of the options, with a new signing secret. Raises Refused, without quoting a secret."""
    user, colon, password = read_option("--basic", basic or "").partition(":")
    if basic and not (user and colon):
        raise Refused("--basic: USER:PASSWORD is needed")
    pairs = [read_option("--header", header).partition(":") for header in headers]
    if any(not colon for _, colon, _ in pairs):
        raise Refused("--header: NAME:VALUE is needed")
    try:
        return Credentials(
            secret=generate_secret(),
            basic=(user, password) if basic else None,
            headers={name.strip(): value.strip() for name, _, value in pairs},
        )
    except ValueError as error:
        raise Refused(str(error)) from error


def read_option(option: str, value: str) -> str:
    """Return the value of an option, from a file when it is ``@FILE``: arguments can be seen by every local user."""
    if not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{option}: {value[1:]} cannot be read ({type(error).__name__})") from error
