"""`alert-intake status --watch`: how things stand, drawn anew every second or so until Ctrl-C.

In a pipe, one plain line a look, so that it can be kept and searched.
"""

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from console.report import strip_controls
from console.terminal.look import Look, Observer
from console.terminal.pace import ended_by_interrupt, pace
from console.terminal.rates import PLOTTED, Rates, advise, draw_bars, rate_looks


def watch(observer: Observer, seconds: float, looks: int | None = None) -> None:
    """Look every so many seconds, so often (None: until Ctrl-C), and show it."""
    console = Console(highlight=False)
    seen: deque[Look] = deque(maxlen=PLOTTED + 1)
    with ended_by_interrupt() as ending:
        if not console.is_terminal:
            console.out(LINE_HEAD)
            for _ in pace(seconds, looks, ending):
                seen.append(observer.look())
                console.out(draw_line(seen[-1], rate_looks(list(seen)[-2:])))
            return
        with Live(console=console, screen=True, auto_refresh=False) as live:
            for _ in pace(seconds, looks, ending):
                seen.append(observer.look())
                live.update(draw(list(seen), seconds), refresh=True)


def draw(looks: Sequence[Look], seconds: float) -> RenderableType:
    """Return the screen."""
    latest, rates = looks[-1], rate_looks(looks)
    clock = datetime.now(UTC).strftime("%H:%M:%S UTC")
    head = Text.assemble(("alert-intake", "bold"), f"   {clock}   every {seconds:g} s   Ctrl-C ends")
    advice = [Text(f"! {strip_controls(line)}", style="bold red") for line in advise(looks, rates, datetime.now(UTC))]
    under_way = (Text(), draw_backfills(latest)) if latest.backfills else ()
    # The workers come last: they may be more than a screen holds.
    return Group(
        head, *advice, Text(), draw_rates(rates), Text(), draw_present(latest), *under_way, Text(), draw_workers(latest)
    )


def draw_rates(rates: Rates) -> Table:
    """Return the rates, each with its plot."""
    table = Table("per second", "now", "the last looks", box=None, header_style="bold", pad_edge=False)
    table.columns[1].justify = "right"
    for name, values in (
        ("taken into the journal", rates.added),
        ("ended", rates.ended),
        ("stored as new", rates.stored),
        ("delivered", rates.delivered),
        ("failed", rates.failed),
    ):
        latest = values[-1] if values else None
        style = "red" if name == "failed" and latest else ""
        table.add_row(name, Text("-" if latest is None else f"{latest:,.1f}", style=style), draw_bars(values))
    return table


def draw_present(look: Look) -> Table:
    """Return what there is at the moment."""
    table = Table("at present", "", box=None, header_style="bold", pad_edge=False)
    table.columns[1].justify = "right"
    if look.journal:
        share = look.journal["memory_share"]
        table.add_row("waiting in the journal", f"{look.journal['entries']:,}")
        table.add_row("  of these in hand", f"{look.journal['pending']:,}")
        table.add_row("  the oldest, seconds", f"{look.journal['oldest_age'] or 0:,.1f}")
        table.add_row("  memory, of the limit", "no limit" if share is None else f"{share:.1%}")
    if look.present:
        table.add_row("alerts stored", f"{look.present['stored']:,}")
        table.add_row("deliveries due", f"{look.present['due']:,}")
        table.add_row("  the first due for, seconds", f"{look.present['late'] or 0:,.1f}")
        table.add_row("deliveries given up", f"{look.present['given_up']:,}")
        table.add_row("rejections open", f"{look.present['open']:,}")
    busy = Text(f"{look.processors:.0%}", style="bold yellow" if look.full else "")
    table.add_row("this machine's processors", busy)
    return table


def draw_backfills(look: Look) -> Table:
    """Return how far work over what was stored before has come, each with its bar."""
    table = Table("back-fill", "", "done", box=None, header_style="bold", pad_edge=False)
    for one in look.backfills:
        bar = ProgressBar(one["until"], one["done"], width=40)
        table.add_row(one["name"], bar, f"{one['done'] / one['until']:.1%}, {one['done']:,} of {one['until']:,}")
    return table


def draw_workers(look: Look) -> Table:
    """Return the workers that were seen."""
    now = datetime.now(UTC)
    table = Table("worker", "pool", "seen before", "in hand", box=None, header_style="bold", pad_edge=False)
    for worker in look.workers:
        lives = worker.lives(now)
        silent = f"{worker.silent(now):,.0f} s" if lives else f"{worker.silent(now):,.0f} s, gone?"
        table.add_row(
            Text(strip_controls(worker.name)), worker.pool, Text(silent, style="" if lives else "red"),
            f"{worker.pending:,}" if worker.pool == "drain" else "",
        )  # fmt: skip
    if not look.workers:
        table.add_row(Text("none seen", style="bold red"), "", "", "")
    return table


LINE_HEAD = "time      into_journal/s  ended/s  delivered/s  failed/s  waiting  oldest_s     due  drains  processors"


def draw_line(look: Look, rates: Rates) -> str:
    """Return one look as a line; a dash is what is not known."""

    def last(values: list[float | None]) -> str:
        return "-" if not values or values[-1] is None else f"{values[-1]:.1f}"

    journal, present = look.journal or {}, look.present or {}
    drains = sum(worker.pool == "drain" and worker.lives(datetime.now(UTC)) for worker in look.workers)
    return (
        f"{datetime.now(UTC):%H:%M:%S}  {last(rates.added):>14}  {last(rates.ended):>7}"
        f"  {last(rates.delivered):>11}  {last(rates.failed):>8}  {journal.get('entries', '-'):>7}"
        f"  {'-' if not journal else format(journal['oldest_age'] or 0, '.1f'):>8}  {present.get('due', '-'):>6}"
        f"  {drains:>6}  {look.processors:>9.0%}"
    )
