"""`alert-intake status`: what waits, what is stored, what is due, and what of it is not well."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import click
import redis

from console.books.audit import MOST_WAITING, audit_books
from console.books.backfills import SINCE, list_backfills
from console.books.backlog import measure_queues, measure_stream, sum_endings
from console.books.present import count_present
from console.books.unwell import Found, list_unwell
from console.books.workers import find_drains, find_sessions, remember
from console.commands.status_report import list_rows, show_present, show_worker
from console.connections import Database, open_database, open_redis
from console.report import print_json, print_table, reporting
from console.terminal.look import Observer
from console.terminal.watch import watch
from console.unreachable import Unreachable
from schemas.journal.append import JournalUnavailable
from schemas.settings.configuration import load_configuration, require_address

COUNTED = "0002.forwarding"  # the migration with the last of the tables that are counted here


@click.command()
@reporting
@click.option("--watch", "watching", is_flag=True, help="Look again and again until Ctrl-C: rates, plots, workers.")
@click.option(
    "--every", type=click.FloatRange(0.2), default=2.0, show_default=True, help="Seconds between looks, with --watch."
)
@click.option("--looks", type=click.IntRange(1), help="End after so many looks, with --watch.")
@click.pass_context
def status(ctx: click.Context, as_json: bool, watching: bool, every: float, looks: int | None) -> None:
    """Show the journal, the workers' queues, the stored alerts, the endings and the outbox.

    Exit status 1 when something is not well, each thing with a line: migrations are missing, the journal is so full
    that the door refuses, the books do not balance, something waits and no worker of its pool lives, an entry or a
    delivery is more than a minute late, a subscription is paused or tripped. Rejections that are open and deliveries
    that were given up are counted; nothing waits for them but people.
    """
    from deploy.migrations import pending_migrations

    configuration = load_configuration()
    settings = configuration.journal
    if watching:
        if as_json:
            raise click.UsageError("--watch draws; for programs there is --json without it, or the metrics")
        with suppress(KeyboardInterrupt):
            watch(Observer(settings), every, looks)
        return
    with open_redis("JOURNAL_URL") as journal:
        try:
            stream = measure_stream(journal, settings)
        except JournalUnavailable as error:
            raise Unreachable(
                f"JOURNAL_URL: Redis does not answer ({error}); check the address and the server"
            ) from error
        workers = find_drains(journal, settings.stream, datetime.now(UTC))
        with open_database() as database:
            pending = pending_migrations(require_address("DATABASE_URL"))
            balanced = None if COUNTED in pending else hold_books(journal, database, settings.stream)
    with open_redis("BROKER_URL") as broker:
        queues = measure_queues(broker)
    report: dict[str, Any] = {"journal": stream, "queues": queues, "pending_migrations": pending}
    present = None
    with open_database() as database:
        if COUNTED not in pending:
            present = count_present(database)
            report |= show_present(present) | {"endings": sum_endings(database)}
            workers += find_sessions(database)
        report["backfills"] = [] if SINCE in pending else list_backfills(database)
    now = datetime.now(UTC)
    remote = bool(configuration.enrichment.remote_names)
    report["books_balanced"] = balanced
    report["workers"] = [show_worker(worker, now) for worker in remember((), workers, now)]
    report["unwell"] = list_unwell(Found(now, stream, present, workers, balanced, remote))
    report["well"] = not pending and not report["unwell"]
    if as_json:
        print_json(report)
    else:
        print_table(("what", "how much"), list_rows(report, remote=remote))
        for line in report["unwell"]:
            click.echo(f"Not well: {line}.")
    if not report["well"]:
        ctx.exit(1)


def hold_books(journal: redis.Redis, database: Database, stream: str) -> bool | None:
    """Return whether the books balance, None when more entries wait than are read for this."""
    if journal.xlen(stream) > MOST_WAITING:
        return None
    return all(account.balanced for account in audit_books(journal, database, stream))
