"""`make bench`: measure everything, one part after the other; print the tables and keep them in var/bench.md.

`python -m tests.bench ceiling latency` measures these parts only.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from tests.bench.ceiling import measure_ceiling
from tests.bench.drain import measure_drain
from tests.bench.footprint import measure_footprint
from tests.bench.forward import forwarding_table, measure_forwarding
from tests.bench.latency import measure_latencies
from tests.bench.pages import measure_window
from tests.bench.per_alert import measure_per_alert
from tests.bench.report import Report, read_table

Tell = Callable[[str], object]


def measure_forward(tell: Tell) -> list[Report]:
    """Measure forwarding."""
    tell("forward: to a receiver that answers at once, and beside those that hang")
    return [read_table(forwarding_table(measure_forwarding()))]


# Each is given what tells of the progress, and returns its tables.
PARTS: dict[str, Callable[[Tell], list[Report]]] = {
    "ceiling": measure_ceiling,
    "celery": measure_per_alert,
    "latency": measure_latencies,
    "drain": measure_drain,
    "forward": measure_forward,
    "footprint": measure_footprint,
    "pages": measure_window,
}
KEPT = Path("var/bench.md")


def main() -> None:
    """Measure the parts that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure, as ratios in one run.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all when none is named")
    asked = parser.parse_args().parts or list(PARTS)
    unknown = set(asked) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    console = Console()
    machine = describe_machine()
    console.print(machine)
    kept = [f"# Benchmarks\n\n{machine}\n"]
    for part in asked:
        began = time.monotonic()
        with console.status(part) as status:
            reports = PARTS[part](tell_to(console, status.update))
        for report in reports:
            console.print(report.to_rich())
            kept.append(report.to_markdown())
        console.print(f"{part} took {time.monotonic() - began:.0f} s")
        KEPT.parent.mkdir(exist_ok=True)
        KEPT.write_text("\n".join(kept))
    console.print(f"kept in {KEPT}")


def tell_to(console: Console, update: Callable[[str], None]) -> Tell:
    """Return what tells of the progress: on a terminal in one line that changes, else line by line."""
    return update if console.is_terminal else lambda text: console.print(text)


def describe_machine() -> str:
    """Return on what the figures were obtained, and how busy it was with other things."""
    model = next(
        (line.partition(":")[2].strip() for line in read("/proc/cpuinfo") if line.startswith("model name")), ""
    )
    name = next((line.partition("=")[2].strip('"\n') for line in read("/etc/os-release") if "PRETTY" in line), "")
    memory = int(next(line for line in read("/proc/meminfo")).split()[1]) / 1024**2
    busy = os.getloadavg()[0]
    return (
        f"{len(os.sched_getaffinity(0))} cores ({model}), {memory:.0f} GiB, {name}, "
        f"Python {platform.python_version()}; load average at the start {busy:.1f}"
    )


def read(file: str) -> list[str]:
    """Return the lines of a file."""
    return Path(file).read_text().splitlines()


if __name__ == "__main__":
    main()
