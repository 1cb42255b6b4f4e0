"""`alert-intake deliveries`: what is due, delivered or given up, and trying one or many again."""

from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from console.connections import open_database
from console.downstream.deliveries import STATES, Sought, list_deliveries
from console.downstream.delivery import read_delivery
from console.downstream.retries import bound_sought, retry_delivery, retry_matching
from console.moments import parse_moment
from console.operations import name_operator
from console.paging import MAX_LIMIT, BadCursor
from console.report import print_json, print_table, reporting
from console.unreachable import Refused


@click.group()
def deliveries() -> None:
    """List deliveries, show one with its attempts, retry one or many."""


@deliveries.command("list")
@reporting
@click.option("--state", type=click.Choice(STATES))
@click.option("--subscription", help="Only those to the subscription of this name.")
@click.option("--since", metavar="TIME", help="Only those of events that happened then or later (ISO 8601).")
@click.option("--until", metavar="TIME", help="Only those of events that happened before then.")
@click.option("--alert", "alert_id", type=click.UUID, help="Only those of the alert of this id.")
@click.option("--event", help="With --since or --alert: only those of events of this type, such as alert.resolved.")
@click.option(
    "--last-status",
    type=click.IntRange(0, 999),
    metavar="STATUS",
    help="With --since or --alert: only those whose last attempt was answered with this HTTP status.",
)
@click.option(
    "--last-error",
    metavar="TEXT",
    help="With --since or --alert: only those whose last attempt had an error with this in it.",
)
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=50, show_default=True)
@click.option("--cursor", help="Go on where a list was left: its next_cursor.")
def list_command(
    as_json: bool,
    state: str | None,
    subscription: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    cursor: str | None,
    **further: Any,  # noqa: ANN401 - the other options, by their names in Sought
) -> None:  # fmt: skip
    """List deliveries, the latest first."""
    moments = read_moment("--since", since), read_moment("--until", until)
    sought = Sought(state, subscription, *moments, **further)
    with open_database() as database:
        try:
            page = list_deliveries(database, sought, limit, cursor)
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


@deliveries.command("show")
@reporting
@click.argument("delivery_id", metavar="ID")
def show_command(as_json: bool, delivery_id: str) -> None:
    """Show one delivery with each of its attempts: status, milliseconds, the beginning of the answer, when again."""
    with open_database() as database:
        delivery = read_delivery(database, delivery_id)
    if as_json:
        print_json(delivery)
        return
    print_table(("field", "value"), ((name, value) for name, value in delivery.items() if name != "log"))
    if delivery["log"]:
        print_table(list(delivery["log"][0]), (attempt.values() for attempt in delivery["log"]), title="attempts")


@deliveries.command("retry")
@reporting
@click.argument("delivery_id", metavar="[ID]", required=False)
@click.option("--subscription", help="All those to the subscription of this name that were given up.")
@click.option("--since", metavar="TIME", help="With --subscription: of events that happened then or later (ISO 8601).")
@click.option("--until", metavar="TIME", help="With --subscription: of events that happened before then.")
@click.option("--state", type=click.Choice(["given_up", "due"]), default="given_up", show_default=True,
              help="With --subscription: due means those that wait for their next attempt.")  # fmt: skip
def retry_command(
    as_json: bool, delivery_id: str | None, subscription: str | None, since: str | None, until: str | None, state: str
) -> None:
    """Make one delivery due now, be it given up or waiting; or, with --subscription and --since, many.

    Each has the whole schedule before it again.
    """
    if (delivery_id is None) == (subscription is None):
        raise Refused("give either the ID of one delivery, or --subscription")
    if subscription is not None:
        if since is None:
            raise Refused("--since: say from when on, such as --since 2026-11-20T08:00:00Z")
        moments = read_moment("--since", since), read_moment("--until", until)
        retry_many(Sought(state, subscription, *moments), as_json=as_json)
        return
    with open_database(writable=True) as database:
        delivery = retry_delivery(database, str(delivery_id), name_operator())
    if as_json:
        print_json(delivery)
    else:
        click.echo(f"due now: {delivery['id']}, after {delivery['attempts']} attempts")


def retry_many(sought: Sought, *, as_json: bool) -> None:
    """Retry all that is sought, with a bar on standard error when it is a terminal."""
    retried = 0
    with open_database(writable=True) as database:
        bounded, total = bound_sought(database, sought)
        with Progress(console=Console(stderr=True), transient=True) as progress:
            bar = progress.add_task("made due", total=total)
            for batch in retry_matching(database, bounded, name_operator()):
                retried += batch
                progress.advance(bar, batch)
    if as_json:
        print_json({"subscription": sought.subscription, "retried": retried})
    else:
        click.echo(f"due now: {retried} deliveries to {sought.subscription}")


def read_moment(option: str, text: str | None) -> datetime | None:
    """Return the point in time that an option names. Raises Refused."""
    try:
        return None if text is None else parse_moment(text)
    except ValueError as error:
        raise Refused(f"{option}: {error}") from error
