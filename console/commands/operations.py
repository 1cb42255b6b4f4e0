"""`alert-intake operations`: who changed what by hand, when and why."""

from datetime import datetime

import click

from console.commands.alerts import Moment
from console.connections import open_database
from console.operations import Sought
from console.operations import list_operations as list_page
from console.paging import MAX_LIMIT, BadCursor
from console.report import print_json, print_table, reporting
from console.unreachable import Refused


@click.group()
def operations() -> None:
    """Show who changed what by hand, when and why."""


@operations.command("list")
@reporting
@click.option("--actor", help="The name of a token, or the user of this command.")
@click.option("--action", help="Such as replay, discard, 'retry delivery', 'change subscription', 'revoke token'.")
@click.option("--subject", help="The id of what it was done to.")
@click.option("--since", type=Moment(), help="Done then or later.")
@click.option("--until", type=Moment(), help="Done before then.")
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=50, show_default=True)
@click.option("--cursor", help="Go on where a list was left: its next_cursor.")
def list_command(
    as_json: bool,
    actor: str | None,
    action: str | None,
    subject: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    cursor: str | None,
) -> None:
    """List what was done by hand, the latest first."""
    with open_database() as database:
        try:
            page = list_page(database, Sought(actor, action, subject, since, until), limit, cursor)
        except BadCursor as error:
            raise Refused(str(error)) from error
    if as_json:
        print_json({"data": page.rows, "next_cursor": page.next_cursor})
        return
    columns = ("at", "actor", "action", "subject", "note")
    print_table(columns, ([row[name] for name in columns] for row in page.rows))
    if page.next_cursor:
        click.echo(f"more: --cursor {page.next_cursor}")
