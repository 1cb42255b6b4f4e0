"""`alert-intake subscriptions`: which downstream services get which events."""

from typing import Any

import click
import msgspec

from console.commands.subscription_options import read_filters_given, read_given, read_proof_given, taking_terms
from console.connections import open_database
from console.downstream.listing import list_subscriptions, read_subscription
from console.downstream.subscriptions import (
    add_subscription,
    change_subscription,
    hold_subscription,
    remove_subscription,
    rotate_signing_secret,
    set_state,
)
from console.downstream.terms import read_proof, read_terms
from console.durations import parse_duration
from console.operations import name_operator
from console.paging import MAX_LIMIT, BadCursor
from console.report import print_json, print_table, reporting
from console.unreachable import Refused
from schemas.configuration import load_configuration
from schemas.keyring import Keyring, load_keyring

APART = ("log", "operations")


@click.group()
def subscriptions() -> None:
    """Say which downstream services get which events."""


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
    as_json: bool, name: str, new_name: str | None, url: str | None, clear: tuple[str, ...], **given: Any  # noqa: ANN401
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
        changed = change_subscription(
            database, keyring, name, changes, proof, name_operator(), allow_http=configuration.forwarding.allow_http
        )
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
        subscription = read_subscription(database, name, open_keyring())
    if as_json:
        print_json(subscription)
        return
    shown = subscription | {"filters": show_filters(subscription["filters"])}
    print_table(("field", "value"), ((field, value) for field, value in shown.items() if field not in APART))
    for part in APART:
        if subscription[part]:
            print_table(list(subscription[part][0]), (row.values() for row in subscription[part]), title=part)


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
    """Resume deliveries to a subscription, paused or tripped, with whatever became due meanwhile, in its order."""
    change_state(name, "active", as_json=as_json)


@subscriptions.command("rotate-secret")
@reporting
@click.argument("name", metavar="NAME|ID")
@click.option("--overlap", default="24h", show_default=True, metavar="TIME",
              help="How long the present secret goes on signing beside the new one; 0 for not at all.")  # fmt: skip
def rotate_secret_command(as_json: bool, name: str, overlap: str) -> None:
    """Make a new signing secret and print it, this once. Until the overlap ends every delivery has both signatures."""
    try:
        seconds = parse_duration(overlap)
    except ValueError as error:
        raise Refused(f"--overlap: {error}") from error
    with open_database(writable=True) as database:
        rotated = rotate_signing_secret(database, open_keyring(), name, seconds, name_operator())
    if as_json:
        print_json(rotated)
    else:
        click.echo(f"new signing secret of {rotated['name']} (not shown again): {rotated['secret']}")
        click.echo(f"former secrets that still sign: {rotated['former_secrets']}")


@subscriptions.command("remove")
@reporting
@click.argument("name", metavar="NAME|ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove_command(as_json: bool, name: str, yes: bool) -> None:
    """Remove a subscription, and with it every delivery to it, also those that are still due."""
    keyring = open_keyring()
    with open_database(writable=True) as database:
        due = read_subscription(database, name, keyring)["due"]
        database.commit()
        if not yes:
            click.confirm(f"Remove {name}, with {due} deliveries still due to it?", abort=True, err=True)
        removed = remove_subscription(database, name, name_operator())
    if as_json:
        print_json(removed)
    else:
        click.echo(f"removed {removed['name']}")


def change_state(name: str, state: str, *, as_json: bool) -> None:
    """Set the state of a subscription and report it."""
    with open_database(writable=True) as database:
        changed = set_state(database, name, state, name_operator())
    if as_json:
        print_json(changed)
    else:
        click.echo(f"{changed['name']} is {changed['state']}")


def open_keyring() -> Keyring:
    """Load the keys that the configuration names."""
    return load_keyring(load_configuration().sealing)


def show_filters(filters: dict[str, Any]) -> str:
    """Return filters in one line."""
    return msgspec.json.encode(filters).decode() if filters else ""
