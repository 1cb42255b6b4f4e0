"""`alert-intake rejections`: what ended without becoming an alert, until somebody has dealt with it."""

from datetime import datetime

import click

from console.commands.alerts import Moment
from console.commands.replay import replay_command
from console.connections import open_database
from console.operations import name_operator
from console.paging import MAX_LIMIT, BadCursor
from console.rejections.queries import STATES, Sought, list_rejections, read_rejection
from console.rejections.replay import discard_rejection
from console.report import print_json, print_table, reporting, show_cell
from console.unreachable import Refused
from schemas.keyring import load_keyring
from schemas.settings.configuration import load_configuration

APART = ("body", "became", "operations")  # shown below the table of fields


@click.group()
def rejections() -> None:
    """List, show, replay and discard what ended without becoming an alert."""


rejections.add_command(replay_command)


@rejections.command("list")
@reporting
@click.option("--state", type=click.Choice([*STATES, "all"]), default="open", show_default=True)
@click.option("--reason", help="no_alert_id, unreadable, unknown_source, poisoned, unstorable or unsealable.")
@click.option("--source", help="The source that pushed it.")
@click.option("--since", type=Moment(), help="Rejected then or later.")
@click.option("--until", type=Moment(), help="Rejected before then.")
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=50, show_default=True)
@click.option("--cursor", help="Go on where a list was left: its next_cursor.")
def list_command(
    as_json: bool,
    state: str,
    reason: str | None,
    source: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    cursor: str | None,
) -> None:
    """List rejections, the latest first."""
    sought = Sought(None if state == "all" else state, reason, source, since, until)
    with open_database() as database:
        try:
            page = list_rejections(database, sought, limit, cursor)
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
    """Show one rejection, its body, and what was done about it. Card numbers in the body are masked."""
    keyring = load_keyring(load_configuration().sealing)
    with open_database() as database:
        rejection = read_rejection(database, rejection_id, keyring)
    if rejection is None:
        raise Refused(f"there is no rejection {rejection_id}; see `alert-intake rejections list --state all`")
    if as_json:
        print_json(rejection)
        return
    print_table(("field", "value"), ((name, value) for name, value in rejection.items() if name not in APART and value))
    for name in ("operations", "became"):
        if rejection[name]:
            print_table(list(rejection[name][0]), (row.values() for row in rejection[name]), title=name)
    click.echo(show_cell(rejection["body"]))


@rejections.command("discard")
@reporting
@click.argument("rejection_id", metavar="ID")
@click.option("--note", required=True, metavar="TEXT", help="Why nothing is to become of it.")
def discard_command(as_json: bool, rejection_id: str, note: str) -> None:
    """Close a rejection without replaying it. It is kept, with the note, as long as raw bodies are."""
    with open_database(writable=True) as database:
        closed = discard_rejection(database, rejection_id, note, name_operator())
    if as_json:
        print_json(closed)
    else:
        click.echo(f"discarded {closed['id']}")
