"""Forwarding: deliveries a second of one process, beside a bare loop of `requests.Session.post` with the same signing.

Whatever is compared is measured in rounds that alternate, on the same machine, and told as medians.
"""

import os
import statistics
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from tests.bench.forwarding_bare import DELIVERIES, post_bare
from tests.bench.forwarding_site import open_site
from tests.bench.report import ratios, spread
from workers.telemetry.logs import configure_logs

ROUNDS = 5
SUBSCRIPTIONS = 100
HANGING = 10
EACH = 40
LEASES = 400
FEW_DUE = 1_000
BLOCKED = 100_000


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians, and of ratios each round's. Rates are deliveries a second, leases milliseconds by how many are due.

    behind_blocked  milliseconds of a lease at FEW_DUE, behind BLOCKED that wait for an earlier, postponed event
    """

    bare: float
    forwarded: float
    to_bare: list[float]
    beside_hanging: list[float]
    leases: dict[int, float]
    behind_blocked: float


def measure_forwarding() -> Measured:
    """Measure everything."""
    log_to_nowhere()
    bare: list[float] = []
    forwarded: list[float] = []
    alone: list[float] = []
    beside: list[float] = []
    with open_site() as site:
        for _ in range(ROUNDS):
            bare.append(post_bare(site.receiver))
            site.clear()
            site.fill(1, DELIVERIES)
            forwarded.append(site.deliver(60))
            for rates, hanging in ((alone, 0), (beside, HANGING)):
                site.clear()
                site.fill(SUBSCRIPTIONS - HANGING, EACH)
                if hanging:
                    site.fill(hanging, EACH, "hang")
                rates.append(site.deliver(60))
        site.clear()
        times: dict[int, list[float]] = {FEW_DUE: [], 100_000: [], 400_000: []}
        sites = {due: site.beside(f"due_{due}") for due in times}
        for due, other in sites.items():
            other.fill(SUBSCRIPTIONS, due // SUBSCRIPTIONS)
        blocked = site.beside("blocked")
        blocked.fill(SUBSCRIPTIONS, (FEW_DUE + BLOCKED) // SUBSCRIPTIONS)
        blocked.block(BLOCKED // SUBSCRIPTIONS)
        behind: list[float] = []
        for _ in range(LEASES // 20):
            for due, other in sites.items():
                times[due] += other.time_leases(28)
            behind += blocked.time_leases(28)
    return Measured(
        statistics.median(bare),
        statistics.median(forwarded),
        ratios(forwarded, bare),
        ratios(beside, alone),
        {due: statistics.median(taken) for due, taken in times.items()},
        statistics.median(behind),
    )


def log_to_nowhere() -> None:
    """Make every log line as the workers do, and write it to nowhere."""
    with redirect_stderr(Path(os.devnull).open("w", buffering=1)):
        configure_logs()


def forwarding_table(measured: Measured) -> Table:
    """Return what was measured, with its goals."""
    table = Table(title="forwarding, one process, a receiver that answers at once")
    for column in ("what", "measured", "goal"):
        table.add_column(column, justify="left" if column == "what" else "right")
    few, many, most = measured.leases.values()
    rows = [
        ("bare loop of requests.Session.post, signed", f"{measured.bare:.0f}/s", ""),
        ("deliveries", f"{measured.forwarded:.0f}/s", ""),
        ("deliveries to bare loop", spread(measured.to_bare), "≥ 0.8"),
        (
            f"rate of 90 subscriptions beside {HANGING} that hang, to that without",
            spread(measured.beside_hanging),
            "≥ 0.9",
        ),
        ("lease at 1,000 due", f"{few:.2f} ms", ""),
        ("lease at 100,000 due, to that at 1,000", f"{many / few:.2f}", "≤ 1.2"),
        ("lease at 400,000 due, to that at 100,000", f"{most / many:.2f}", ""),
        (
            "lease at 1,000 due behind 100,000 that wait for a postponed event, to that without",
            f"{measured.behind_blocked / few:.2f}",
            "≤ 1.2",
        ),
    ]
    for row in rows:
        table.add_row(*row)
    return table


if __name__ == "__main__":
    from rich.console import Console

    Console().print(forwarding_table(measure_forwarding()))
