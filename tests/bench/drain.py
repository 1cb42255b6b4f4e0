"""The drain: alerts a second of a worker process from a backlog, beside a bare loop that does nothing but move rows.

What is compared alternates, round by round, on the same servers and on empty tables; then one backlog as a whole, and
the cost of an alert by how many are stored already. Processor time is told beside the rates: it is of the worker and of
the servers behind it, and less at the mercy of what else the machine does.
"""

import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.bench.drain_prefill import prefill
from tests.bench.drain_site import Run, Site, cost_of, open_site, rate_of
from tests.bench.report import Report, ratios, spread

ROUNDS = 5
ROUND = 10_000  # alerts of one measurement that is repeated
BACKLOG = int(os.environ.get("ALERT_INTAKE_BENCH_BACKLOG", "200000"))
FEW = 10_000
MANY = int(os.environ.get("ALERT_INTAKE_BENCH_STORED", "1000000"))
TENTH = 9  # the batch that memory is compared with
WAYS = (("bare", 1), ("drain", 1), ("drain", 2))


@dataclass
class Measured:
    """Round by round: alerts a second and µs of processor time an alert, of each way and by how many are stored."""

    rates: dict[tuple[str, int], list[float]] = field(default_factory=lambda: {way: [] for way in WAYS})
    costs: dict[tuple[str, int], list[float]] = field(default_factory=lambda: {way: [] for way in WAYS})
    backlog: list[Run] = field(default_factory=list)
    stored: dict[int, list[float]] = field(default_factory=dict)
    stored_rates: dict[int, list[float]] = field(default_factory=dict)


def measure_drain(
    tell: Callable[[str], object], rounds: int = ROUNDS, backlog: int = BACKLOG, many: int = MANY
) -> list[Report]:
    """Measure, and return the tables. `many` is of how many stored alerts an alert's cost is compared with few."""
    measured = Measured()
    with open_site() as site:
        for kind, workers in WAYS:
            tell(f"drain: {kind}, {workers} at once, warming")
            run_once(site, kind, workers, 2_000)
        for number in range(rounds):
            for kind, workers in WAYS if number % 2 else reversed(WAYS):
                tell(f"drain: {kind}, {workers} at once, round {number + 1} of {rounds}")
                runs = run_once(site, kind, workers, ROUND)
                measured.rates[kind, workers].append(rate_of(runs))
                measured.costs[kind, workers].append(cost_of(runs))
        tell(f"drain: a backlog of {backlog}")
        measured.backlog = run_once(site, "drain", 1, backlog)
        site.empty()
        tell(f"drain: storing {many} alerts to drain on top of")
        sites = {stored: site.beside(f"stored_{stored}") for stored in (FEW, many)}
        for stored, other in sites.items():
            prefill(other.workshop.database_url, stored)
            run_once(other, "drain", 1, ROUND // 2, empty=False)
        for number in range(rounds):
            for stored, other in sites.items() if number % 2 else reversed(sites.items()):
                tell(f"drain: {stored} stored, round {number + 1} of {rounds}")
                runs = run_once(other, "drain", 1, ROUND // 2, empty=False)
                measured.stored.setdefault(stored, []).append(cost_of(runs))
                measured.stored_rates.setdefault(stored, []).append(rate_of(runs))
    return [compare(measured), describe_backlog(measured.backlog[0]), describe_growth(measured, many)]


def run_once(site: Site, kind: str, workers: int, entries: int, *, empty: bool = True) -> list[Run]:
    """Fill the journal with so many alerts and drain it, into empty tables if wanted."""
    if empty:
        site.empty()
    site.fill(entries)
    return site.drain("bare" if kind == "bare" else "drain", workers)


def compare(measured: Measured) -> Report:
    """Return the table of rates."""
    report = Report(
        f"drain, {ROUND} alerts a round, alerts a second",
        ("what", "measured", "to the bare loop", "goal", "CPU µs an alert, with the servers"),
    )
    bare, one, two = WAYS
    names = {bare: "bare loop, one process", one: "drain, one process", two: "drain, two processes"}
    for way, name in names.items():
        against = "" if way == bare else spread(ratios(measured.rates[way], measured.rates[bare]))
        goal = "≥ 0.5" if way == one else ""
        report.add(name, spread(measured.rates[way], ".0f"), against, goal, spread(measured.costs[way], ".0f"))
    report.add("two processes to one", spread(ratios(measured.rates[two], measured.rates[one])), "", "", "")
    return report


def describe_backlog(run: Run) -> Report:
    """Return the table of one long drain: its rate, where its time went, and its memory."""
    report = Report(f"a backlog of {run.entries} alerts, one process", ("what", "measured", "goal"))
    report.add("alerts a second", f"{rate_of([run]):.0f}", "")
    report.add("CPU µs an alert, worker alone", f"{run.cpu / run.entries * 1e6:.0f}", "")
    whole = sum(run.stations.values())
    for station, seconds in sorted(run.stations.items(), key=lambda item: -item[1]):
        ahead = " (beside the others)" if station == "validate" else ""
        share = f"{seconds / whole:.0%}, {seconds / run.entries * 1e6:.0f} µs an alert"
        report.add(f"station {station}{ahead}", share, "")
    tenth, last = run.resident[min(TENTH, len(run.resident) - 1)], run.resident[-1]
    report.add("memory after the last batch, to that after the 10th", f"{last / tenth:.2f}", "0.9–1.1")  # noqa: RUF001 - a range
    report.add("memory after the last batch", f"{last / 2**20:.0f} MiB", "")
    return report


def describe_growth(measured: Measured, many: int) -> Report:
    """Return the table of what an alert costs on top of few and of many."""
    report = Report(
        "drain on top of what is stored, one process", ("stored before", "CPU µs an alert", "alerts a second", "goal")
    )
    for stored, costs in measured.stored.items():
        report.add(f"{stored:,}", spread(costs, ".0f"), spread(measured.stored_rates[stored], ".0f"), "")
    for name, values in (
        ("CPU", measured.stored),
        ("time", {k: [1 / r for r in v] for k, v in measured.stored_rates.items()}),
    ):
        ratio = statistics.median(ratios(values[many], values[FEW]))
        report.add(f"{name} of an alert at {many:,}, to that at {FEW:,}", f"{ratio:.2f}", "", "≤ 1.3")
    return report


if __name__ == "__main__":
    from rich.console import Console

    console = Console()
    for table in measure_drain(console.print):
        console.print(table.to_rich())
