"""`alert-intake rejections`: what ended without becoming an alert."""

import click

from console.alerts import MAX_LIMIT
from console.connections import open_database
from console.cursor import BadCursor
from console.rejections import STATES, list_rejections, read_rejection
from console.report import print_json, print_table, reporting, show_cell
from console.unreachable import Refused
from schemas.configuration import load_configuration
from schemas.keyring import load_keyring


@click.group()
def rejections() -> None:
    """List and show what ended without becoming an alert."""


@rejections.command("list")
@reporting
@click.option("--state", type=click.Choice([*STATES, "all"]), default="open", show_default=True)
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=50, show_default=True)
@click.option("--cursor", help="Go on where a list was left: its next_cursor.")
def list_command(as_json: bool, state: str, limit: int, cursor: str | None) -> None:
    """List rejections, the latest first."""
    with open_database() as database:
        try:
            page = list_rejections(database, None if state == "all" else state, limit, cursor)
        except BadCursor as error:
            raise Refused(str(error)) from error
    if as_json:
        print_json({"data": page.rows, "next_cursor": page.next_cursor})
        return
    print_table(
        ("rejected", "source", "reason", "why", "state", "request id", "id"),
        (
            (row["rejected_at"], row["source"], row["reason"], row["why"], row["state"], row["request_id"], row["id"])
            for row in page.rows
        ),
    )
    if page.next_cursor:
        click.echo(f"more: --cursor {page.next_cursor}")


@rejections.command("show")
@reporting
@click.argument("rejection_id", metavar="ID")
def show_command(as_json: bool, rejection_id: str) -> None:
    """Show one rejection and its body. Card numbers in it are masked."""
    keyring = load_keyring(load_configuration().sealing)
    with open_database() as database:
        rejection = read_rejection(database, rejection_id, keyring)
    if rejection is None:
        raise Refused(f"there is no rejection {rejection_id}; see `alert-intake rejections list --state all`")
    if as_json:
        print_json(rejection)
        return
    print_table(("field", "value"), ((name, value) for name, value in rejection.items() if name != "body" and value))
    click.echo(show_cell(rejection["body"]))
