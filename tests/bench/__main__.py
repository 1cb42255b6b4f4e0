"""`make bench`: start the embedded stack, measure, print tables."""

import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.forward import forwarding_table, measure_forwarding
from tests.bench.latency import Journeys, measure_latency
from tests.e2e.running import Stack

RATE = 50
SECONDS = 20
GOALS = {("visible", 0.5): 20, ("visible", 0.99): 100, ("delivered", 0.5): 200}
STATIONS = {"acknowledged": "acknowledged", "visible": "row visible", "delivered": "delivered"}


def latency_table(rate: int, journeys: Journeys) -> Table:
    """Return the latencies, with their goals where there are any."""
    table = Table(title=f"push to …, at {rate} alerts/s, {len(journeys.by_id)} alerts, ms")
    for column in ("station", "p50", "p99", "p99.9", "goals"):
        table.add_column(column, justify="left" if column == "station" else "right")
    for station, name in STATIONS.items():
        cells = [f"{journeys.quantile(station, share):.1f}" for share in (0.5, 0.99, 0.999)]
        goals = [f"p{share * 100:g} < {goal}" for (goal_of, share), goal in GOALS.items() if goal_of == station]
        table.add_row(name, *cells, ", ".join(goals))
    return table


def main() -> None:
    """Measure everything, one thing after the other."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="alert-intake-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        stack = Stack(folder / "var", folder / "output")
        try:
            with console.status("starting the embedded stack"):
                stack.start("--no-samples")
            with console.status(f"pushing {RATE} alerts a second for {SECONDS} seconds"):
                measure_latency(stack.facts, RATE, 2)  # warm
                journeys = measure_latency(stack.facts, RATE, SECONDS)
            console.print(latency_table(RATE, journeys))
        finally:
            if stack.process is not None:
                stack.stop()
    with console.status("forwarding to a receiver that answers at once, and beside those that hang"):
        forwarding = measure_forwarding()
    console.print(forwarding_table(forwarding))


if __name__ == "__main__":
    main()
