"""`alert-intake alerts`: list stored alerts, show one with all that became of it."""

from datetime import datetime
from typing import Any

import click

from console.alerts.queries import Wanted, list_alerts
from console.alerts.story import FIRST, LATEST, find_alerts, read_alert
from console.connections import open_database
from console.moments import parse_moment
from console.paging import MAX_LIMIT, BadCursor
from console.report import print_json, print_table, reporting
from console.unreachable import Refused


class Moment(click.ParamType[datetime]):
    """A point in time, ISO 8601; without a zone UTC is meant."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Parse the option's text."""
        try:
            return value if isinstance(value, datetime) else parse_moment(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.group()
def alerts() -> None:
    """List and show stored alerts."""


@alerts.command("list")
@reporting
@click.option("--provider", help="The network: ethoca, verifi, ...")
@click.option("--provider-alert-id", help="The network's own alert id.")
@click.option("--kind", help="confirmed_fraud, customer_dispute or other.")
@click.option("--status", help="open, resolved, ...")
@click.option("--merchant-id", help="The merchant's id.")
@click.option("--received-after", type=Moment(), help="Received then or later.")
@click.option("--received-before", type=Moment(), help="Received before then.")
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=50, show_default=True)
@click.option(
    "--oldest-first", is_flag=True, help="In the order in which they were stored; the latest first otherwise."
)
@click.option("--cursor", help="Go on where a list was left: its next_cursor.")
def list_command(as_json: bool, limit: int, oldest_first: bool, cursor: str | None, **filters: Any) -> None:  # noqa: ANN401 - the options
    """List alerts, the latest first."""
    order = "oldest" if oldest_first else "newest"
    with open_database() as database:
        try:
            page = list_alerts(database, Wanted(**filters), limit, cursor, "oldest" if oldest_first else "newest")
        except BadCursor as error:
            raise Refused(f"{error} in the order {order}") from error
    if as_json:
        print_json({"data": page.rows, "next_cursor": page.next_cursor})
        return
    print_table(
        ("received", "provider", "alert id", "kind", "status", "amount", "merchant", "rev.", "dup.", "problems", "id"),
        (
            (row["received_at"], row["provider"], row["provider_alert_id"], row["kind"], row["status"],
             " ".join(filter(None, (row["amount"], row["currency"]))),
             row["merchant"]["name"] or row["merchant"]["descriptor"], row["revision"], row["duplicates"],
             len(row["problems"]) or "", row["id"])
            for row in page.rows
        ),
    )  # fmt: skip
    if page.next_cursor:
        click.echo(f"more: --cursor {page.next_cursor}")


@alerts.command("show")
@reporting
@click.argument("alert_id", metavar="ID")
def show_command(as_json: bool, alert_id: str) -> None:
    """Show the alert with this ID, ours or the network's: its fields, revisions, receipts and deliveries."""
    with open_database() as database:
        found = [alert for own_id in find_alerts(database, alert_id) if (alert := read_alert(database, own_id))]
    if not found:
        raise Refused(f"there is no alert {alert_id}; `alert-intake audit` shows what is waiting")
    if len(found) > 1:
        choice = ", ".join(f"{alert['provider']} {alert['id']}" for alert in found)
        raise Refused(f"several networks have an alert {alert_id}: {choice}; name one by our id")
    if as_json:
        print_json(found[0])
    else:
        show_alert(found[0])


def show_alert(alert: dict[str, Any]) -> None:
    """Print one alert as tables."""
    lists = ("revisions", "receipts", "deliveries", "problems", "left_out")
    print_table(("field", "value"), flatten({name: value for name, value in alert.items() if name not in lists}))
    for problem in alert["problems"]:
        click.echo(f"problem: {problem['field']}: {problem['why']}")
    print_table(
        ("revision", "at", "source", "fields changed"),
        ((row["revision"], row["changed_at"], row["source"], ", ".join(row["changes"])) for row in alert["revisions"]),
        "Revisions",
    )
    print_table(
        ("entry", "source", "request id", "received", "settled", "ending"),
        (
            (row["entry_id"], row["source"], row["request_id"], row["received_at"], row["settled_at"], row["ending"])
            for row in alert["receipts"]
        ),
        "Receipts",
    )
    print_table(
        ("event", "subscription", "state", "attempts", "last answer", "ended"),
        (
            (row["event"], row["subscription"], row["state"], row["attempts"],
             next((attempt["status"] or attempt["error"] for attempt in reversed(row["log"])), ""), row["ended_at"])
            for row in alert["deliveries"]
        ),
        "Deliveries",
    )  # fmt: skip
    for name, count in alert["left_out"].items():
        if count:
            click.echo(f"{count} more {name} between the first {FIRST} and the latest {LATEST}")


def flatten(fields: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return nested fields as rows, those without a value left out."""
    rows: list[tuple[str, Any]] = []
    for name, value in fields.items():
        if isinstance(value, dict):
            rows += flatten(value, f"{prefix}{name}.")
        elif value not in (None, "", []):
            rows.append((prefix + name, ", ".join(map(str, value)) if isinstance(value, list) else value))
    return rows
