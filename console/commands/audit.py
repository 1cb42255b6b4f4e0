"""`alert-intake audit`: the books, and the door's log held against them."""

from typing import BinaryIO

import click

from console.books.acknowledged import Acknowledgements, audit_acknowledgements, read_acknowledgements
from console.books.audit import audit_books, present_books
from console.connections import open_database, open_redis
from console.report import print_json, print_table, reporting
from schemas.journal.account import Account
from schemas.settings.configuration import load_configuration


@click.command()
@reporting
@click.option(
    "--acks", type=click.File("rb"), metavar="FILE",
    help="The door's log (- for stdin): name every acknowledged request without an ending.",
)  # fmt: skip
@click.pass_context
def audit(ctx: click.Context, as_json: bool, acks: BinaryIO | None) -> None:
    """Check the books: every entry ever added to the journal is settled or waiting, and none is orphaned.

    Exact while the pipeline works. Exit status 1 when the books do not balance.
    """
    stream = load_configuration().journal.stream
    log = None
    with open_redis("JOURNAL_URL") as journal, open_database() as database:
        if acks is not None:
            log = audit_acknowledgements(journal, database, stream, read_acknowledgements(acks))
        accounts = audit_books(journal, database, stream)
    if as_json:
        print_json(describe_books(accounts, log))
    else:
        show_books(accounts, log)
    if not all(account.balanced for account in accounts) or (log and log.unaccounted):
        ctx.exit(1)


def describe_books(accounts: list[Account], log: Acknowledgements | None) -> dict[str, object]:
    """Return the books with one account per incarnation, and what became of the acknowledged requests."""
    books = present_books(accounts)
    books["incarnations"] = [
        {"incarnation": account.incarnation, "current": account.current, "added": account.added,
         "settled": account.settled, "waiting": account.waiting, "orphaned": account.orphaned,
         "missing": account.missing}
        for account in accounts
    ]  # fmt: skip
    if log is not None:
        lost = [{"request_id": one.request_id, "entry_id": one.entry_id} for one in log.unaccounted]
        books["acknowledged"] = {"read": log.read, "settled": log.settled, "waiting": log.waiting}
        books["unaccounted"] += lost
        books["balanced"] = books["balanced"] and not lost
    return books


def show_books(accounts: list[Account], log: Acknowledgements | None) -> None:
    """Print the books for people."""
    print_table(
        ("incarnation", "added", "settled", "waiting", "orphaned", "missing", ""),
        (
            (account.incarnation or "not begun", account.added, account.settled, account.waiting, account.orphaned,
             account.missing, "current" if account.current else "earlier")
            for account in accounts
        ),
    )  # fmt: skip
    if log is not None:
        click.echo(f"{log.read} acknowledgements: {log.settled} settled, {log.waiting} waiting")
        for one in log.unaccounted:
            click.echo(f"unaccounted: request {one.request_id}, entry {one.entry_id}")
    balanced = all(account.balanced for account in accounts)
    if balanced and not (log and log.unaccounted):
        click.echo("The books balance.")
        return
    if not balanced:
        click.echo("The books do NOT balance: entries are missing or orphaned; see above.")
    if log and log.unaccounted:
        click.echo(f"{len(log.unaccounted)} acknowledged requests have no ending and are not in the journal.")
