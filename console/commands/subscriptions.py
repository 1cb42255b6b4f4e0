"""`alert-intake subscriptions`: which downstream services get which events."""

from typing import Any

import click
import msgspec

from console.commands.subscription_options import read_filters_given, read_given, read_proof_given, taking_terms
from console.commands.subscription_turns import TURNS
from console.connections import open_database
from console.downstream.listing import list_subscriptions, read_subscription
from console.downstream.subscriptions import add_subscription, change_subscription, hold_subscription
from console.downstream.terms import read_proof, read_terms
from console.operations import name_operator
from console.paging import MAX_LIMIT, BadCursor
from console.report import print_json, print_table, reporting
from console.unreachable import Refused
from schemas.keyring import load_keyring
from schemas.settings.configuration import load_configuration

APART = ("log", "operations")


@click.group()
def subscriptions() -> None:
    """Say which downstream services get which events."""


for turn in TURNS:
    subscriptions.add_command(turn)


@subscriptions.command("add")
@reporting
@click.argument("name")
@click.argument("url")
@taking_terms
def add_command(as_json: bool, name: str, url: str, **given: Any) -> None:  # noqa: ANN401 - the options
    """Add a subscription NAME that delivers to URL, and print its signing secret, this once."""
    configuration = load_configuration()
    proof = read_proof_given(given.pop("basic"), given.pop("headers"))
    try:
        credentials = read_proof(proof).credentials()
        terms = read_terms({"name": name, "url": url, "filters": read_filters_given(given)} | read_given(given))
    except ValueError as error:
        raise Refused(str(error)) from error
    keyring = load_keyring(configuration.sealing)
    allow_http = configuration.forwarding.allow_http
    with open_database(writable=True) as database:
        own_id = add_subscription(database, keyring, terms, credentials, name_operator(), allow_http=allow_http)
    if as_json:
        print_json({"id": own_id, "name": name, "url": url, "events": terms.events, "secret": credentials.secret})
    else:
        click.echo(f"added {name}: {own_id}")
        click.echo(f"signing secret (Standard Webhooks; not shown again): {credentials.secret}")


@subscriptions.command("change")
@reporting
@click.argument("name", metavar="NAME|ID")
@click.option("--name", "new_name", help="Another name.")
@click.option("--url", help="Another URL.")
@click.option("--clear", multiple=True, type=click.Choice(["filters", "leave-out", "basic", "headers"]),
              help="Take all of these away first; may be repeated.")  # fmt: skip
@taking_terms
def change_command(
    as_json: bool, name: str, new_name: str | None, url: str | None, clear: tuple[str, ...], **given: Any  # noqa: ANN401 - the options
) -> None:  # fmt: skip
    """Change what is given about a subscription, and nothing else."""
    configuration = load_configuration()
    keyring = load_keyring(configuration.sealing)
    empty: dict[str, Any] = {"basic": None, "headers": {}}
    proof = {what: empty[what] for what in clear if what in empty}
    proof |= read_proof_given(given.pop("basic"), given.pop("headers"))
    changes = ({"leave_out": ()} if "leave-out" in clear else {}) | read_given(given)
    changes |= {field: value for field, value in (("name", new_name), ("url", url)) if value is not None}
    filters = read_filters_given(given)
    with open_database(writable=True) as database:
        if filters or "filters" in clear:
            kept = {} if "filters" in clear else hold_subscription(database, name)["filters"]
            changes["filters"] = kept | filters
        if not changes and not proof:
            raise Refused("nothing to change was given; see --help")
        own_id = change_subscription(
            database, keyring, name, changes, proof, name_operator(), allow_http=configuration.forwarding.allow_http
        )
        database.commit()
        changed = read_subscription(database, own_id, keyring)
    if as_json:
        print_json(changed)
    else:
        click.echo(f"changed {changed['name']}: {', '.join(sorted({*changes, *proof}))}")


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
        ("name", "url", "events", "filters", "state", "description", "id"),
        (
            (row["name"], row["url"], ", ".join(row["events"]), show_filters(row["filters"]), row["state"],
             row["description"], row["id"])
            for row in page.rows
        ),
    )  # fmt: skip
    if page.next_cursor:
        click.echo(f"more: --cursor {page.next_cursor}")


@subscriptions.command("show")
@reporting
@click.argument("name", metavar="NAME|ID")
def show_command(as_json: bool, name: str) -> None:
    """Show one subscription and what happened to it; of its credentials only what is no secret."""
    with open_database() as database:
        subscription = read_subscription(database, name, load_keyring(load_configuration().sealing))
    if as_json:
        print_json(subscription)
        return
    shown = subscription | {"filters": show_filters(subscription["filters"])}
    print_table(("field", "value"), ((field, value) for field, value in shown.items() if field not in APART))
    for part in APART:
        if subscription[part]:
            print_table(list(subscription[part][0]), (row.values() for row in subscription[part]), title=part)


def show_filters(filters: dict[str, Any]) -> str:
    """Return filters in one line."""
    return msgspec.json.encode(filters).decode() if filters else ""
