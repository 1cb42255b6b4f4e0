"""`alert-intake status`: what waits, what is stored, what is due."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import click

from console.books.backfills import SINCE, list_backfills
from console.books.backlog import count_rows, measure_queues, measure_stream
from console.books.workers import Worker, find_drains, find_sessions
from console.connections import open_database, open_redis
from console.report import print_json, print_table, reporting
from console.terminal.look import Observer
from console.terminal.watch import watch
from console.unreachable import Unreachable
from schemas.journal.append import JournalUnavailable
from schemas.settings.configuration import load_configuration, require_address


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

    Exit status 1 when migrations are missing or the journal is so full that the door refuses.
    """
    from deploy.migrations import pending_migrations

    settings = load_configuration().journal
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
    with open_redis("BROKER_URL") as broker:
        queues = measure_queues(broker)
    with open_database() as database:
        pending = pending_migrations(require_address("DATABASE_URL"))
        report: dict[str, Any] = {"journal": stream, "queues": queues, "pending_migrations": pending}
        if "0001.alerts" not in pending:
            report |= count_rows(database)
            workers += find_sessions(database)
        report["backfills"] = [] if SINCE in pending else list_backfills(database)
    report["workers"] = [show_worker(worker) for worker in workers]
    report["well"] = not pending and not stream["full"]
    if as_json:
        print_json(report)
    else:
        print_table(("what", "how much"), rows_of(report))
    if not report["well"]:
        ctx.exit(1)


def show_worker(worker: Worker) -> dict[str, Any]:
    """Return a worker as programs read it. `silent` is in seconds."""
    now = datetime.now(UTC)
    silent = round(worker.silent(now), 1)
    return {
        "pool": worker.pool, "name": worker.name, "lives": worker.lives(now), "silent": silent,
        "pending": worker.pending,
    }  # fmt: skip


def rows_of(report: dict[str, Any]) -> list[tuple[str, object]]:
    """Return the report as rows for people."""
    journal = report["journal"]
    share = journal["memory_share"]
    rows: list[tuple[str, object]] = [
        ("journal: entries", journal["entries"]),
        ("journal: of these in hand", journal["pending"]),
        ("journal: oldest, seconds", journal["oldest_age"]),
        (
            "journal: memory",
            "no limit set" if share is None else f"{share:.1%}, refusing from {journal['refuses_at_share']:.0%}",
        ),
        *(("journal: at its limit, the door refuses", setting) for setting in journal["full"]),
        *((f"queue {name}: ticks", length) for name, length in report["queues"].items()),
        *(
            (f"{pool} workers alive", sum(one["lives"] for one in report["workers"] if one["pool"] == pool))
            for pool in ("drain", "forward")
        ),
    ]
    if "alerts" in report:
        rows.append(("alerts stored", report["alerts"]))
        rows += [(f"endings: {name}", count) for name, count in report["endings"].items()]
        rows += [
            ("deliveries due", report["outbox"]["due"]),
            ("deliveries: oldest due, seconds", report["outbox"]["oldest_due_age"]),
            ("deliveries given up", report["outbox"]["given_up"]),
            ("rejections open", report["open_rejections"]),
        ]
    rows += [
        (f"back-fill of {one['name']}: done", f"{one['done'] / one['until']:.1%}, {one['done']} of {one['until']}")
        for one in report["backfills"]
    ]
    missing = report["pending_migrations"]
    rows.append(
        ("migrations", f"missing: {', '.join(missing)}; run `alert-intake migrate`" if missing else "all applied")
    )
    return rows
