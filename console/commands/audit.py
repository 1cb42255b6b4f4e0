"""`alert-intake audit`: the books, and the door's log and the replays held against them."""

from typing import BinaryIO

import click

from console.books.acknowledged import (
    Acknowledgement,
    Acknowledgements,
    audit_acknowledgements,
    read_acknowledgements,
    read_replays,
)
from console.books.audit import audit_books, present_books
from console.connections import open_database, open_redis
from console.report import print_json, print_table, reporting
from schemas.journal.account import Account
from schemas.settings.configuration import load_configuration


@click.command()
@reporting
@click.option(
    "--acks", type=click.File("rb"), metavar="FILE",
    help="The door's log (- for stdin): name every push that it kept and that has no ending.",
)  # fmt: skip
@click.pass_context
def audit(ctx: click.Context, as_json: bool, acks: BinaryIO | None) -> None:
    """Check the books: every entry ever added to the journal is settled or waiting, and none is orphaned.

    Exact while the pipeline works. Names replays of rejections that were lost. Exit status 1 when the books do not
    balance.
    """
    configuration = load_configuration()
    stream = configuration.journal.stream
    log = None
    with open_redis("JOURNAL_URL") as journal, open_database() as database:
        if acks is not None:
            log = audit_acknowledgements(journal, database, stream, read_acknowledgements(acks))
        kept_replays = read_replays(database, configuration.retention.receipts)
        replays = audit_acknowledgements(journal, database, stream, kept_replays)
        accounts = audit_books(journal, database, stream)
    if as_json:
        print_json(describe_books(accounts, log, replays))
    else:
        show_books(accounts, log, replays)
    if not all(account.balanced for account in accounts) or list_lost(log, replays):
        ctx.exit(1)


def list_lost(log: Acknowledgements | None, replays: Acknowledgements) -> list[Acknowledgement]:
    """Return what was kept and is nowhere."""
    return [*(log.unaccounted if log else ()), *replays.unaccounted]


def describe_books(
    accounts: list[Account], log: Acknowledgements | None, replays: Acknowledgements
) -> dict[str, object]:
    """Return the books with one account per incarnation, and what became of the pushes that were kept."""
    books = present_books(accounts)
    books["incarnations"] = [
        {"incarnation": account.incarnation, "current": account.current, "added": account.added,
         "settled": account.settled, "waiting": account.waiting, "orphaned": account.orphaned,
         "missing": account.missing}
        for account in accounts
    ]  # fmt: skip
    if log is not None:
        books["acknowledged"] = {"read": log.read, "settled": log.settled, "waiting": log.waiting}
    lost = list_lost(log, replays)
    books["unaccounted"] += [
        {"request_id": one.request_id, "entry_id": one.entry_id}
        | ({"rejection_id": one.rejection_id} if one.rejection_id else {})
        for one in lost
    ]
    books["balanced"] = books["balanced"] and not lost
    return books


def show_books(accounts: list[Account], log: Acknowledgements | None, replays: Acknowledgements) -> None:
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
        click.echo(f"{log.read} pushes kept: {log.settled} settled, {log.waiting} waiting")
        for one in log.unaccounted:
            click.echo(f"unaccounted: request {one.request_id}, entry {one.entry_id}")
    for one in replays.unaccounted:
        click.echo(
            f"unaccounted: the replay of rejection {one.rejection_id}, entry {one.entry_id}; "
            f"`alert-intake rejections replay {one.rejection_id} --again` repeats it"
        )
    balanced = all(account.balanced for account in accounts)
    lost = list_lost(log, replays)
    if balanced and not lost:
        click.echo("The books balance.")
        return
    if not balanced:
        click.echo("The books do NOT balance: entries are missing or orphaned; see above.")
    if lost:
        click.echo(f"{len(lost)} pushes were kept, have no ending and are not in the journal.")
