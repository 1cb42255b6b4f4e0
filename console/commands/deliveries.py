"""`alert-intake deliveries`: what is due, delivered or given up, and trying one again."""

import click

from console.alerts import MAX_LIMIT
from console.connections import open_database
from console.cursor import BadCursor
from console.deliveries import STATES, list_deliveries, retry_delivery
from console.report import print_json, print_table, reporting
from console.unreachable import Refused


@click.group()
def deliveries() -> None:
    """List deliveries and retry one."""


@deliveries.command("list")
@reporting
@click.option("--state", type=click.Choice(STATES))
@click.option("--subscription", help="Only those to the subscription of this name.")
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=50, show_default=True)
@click.option("--cursor", help="Go on where a list was left: its next_cursor.")
def list_command(as_json: bool, state: str | None, subscription: str | None, limit: int, cursor: str | None) -> None:
    """List deliveries, the latest first."""
    with open_database() as database:
        try:
            page = list_deliveries(database, state, subscription, limit, cursor)
        except BadCursor as error:
            raise Refused(str(error)) from error
    if as_json:
        print_json({"data": page.rows, "next_cursor": page.next_cursor})
        return
    print_table(
        ("created", "event", "subscription", "state", "attempts", "last answer", "due", "alert", "id"),
        (
            (row["created_at"], row["event"], row["subscription"], row["state"], row["attempts"],
             row["last_status"] or row["last_error"], row["due_at"] if row["state"] == "due" else None,
             row["alert_id"], row["id"])
            for row in page.rows
        ),
    )  # fmt: skip
    if page.next_cursor:
        click.echo(f"more: --cursor {page.next_cursor}")


@deliveries.command("retry")
@reporting
@click.argument("delivery_id", metavar="ID")
def retry_command(as_json: bool, delivery_id: str) -> None:
    """Make one delivery due now, be it given up or waiting for its next attempt."""
    with open_database(writable=True) as database:
        delivery = retry_delivery(database, delivery_id)
    if as_json:
        print_json(delivery)
    else:
        click.echo(f"due now: {delivery['id']}, after {delivery['attempts']} attempts")
