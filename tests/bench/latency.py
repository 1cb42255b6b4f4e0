"""Latency at a steady pace, on the embedded stack: push to acknowledgement, to the visible row, to the delivery.

A push's row is visible when another connection first sees it, looking every two milliseconds; its delivery is the
moment the receiver noted. Beside each pace the same pace of bare XADDs into the same Redis, which fsyncs before it
answers. All clocks are this machine's.
"""

import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.bench.journeys import Journeys, append_bare, follow, push
from tests.bench.report import Report
from tests.e2e.running import Stack

PACES = ((10, 30), (100, 20), (500, 10))  # alerts a second, seconds
IDLE_SECONDS = 60.0
SHARES = (0.5, 0.99, 0.999)
GOALS = {
    "acknowledged": "p99 < 5 × XADD",  # noqa: RUF001 - times
    "row visible": "p50 < 10, p99 < 60",
    "delivered": "p50 < 200, p99 < 1,000",
}


def measure_latencies(tell: Callable[[str], object]) -> list[Report]:
    """Measure every pace, one alert after an idle minute, the last pace without deliveries, without workers."""
    report = Report("push to …, ms", ("pace", "station", "p50", "p99", "p99.9", "most", "goal"))
    with tempfile.TemporaryDirectory(prefix="alert-intake-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        stack = Stack(folder / "var", folder / "output")
        try:
            tell("latency: starting the embedded stack")
            stack.start("--no-samples")
            follow(stack.facts, 20, 2)  # warm
            for rate, seconds in PACES:
                tell(f"latency: {rate} alerts/s for {seconds} s, and as many XADDs")
                describe(report, f"{rate}/s", follow(stack.facts, rate, seconds))
            tell("latency: an idle minute")
            time.sleep(IDLE_SECONDS)
            describe(report, "after an idle minute", follow(stack.facts, 1, 1))
            rate, seconds = PACES[-1]
            tell(f"latency: {rate} alerts/s for {seconds} s, nothing forwarded")
            pause_receiver(stack)
            describe(report, f"{rate}/s, nothing forwarded", follow(stack.facts, rate, seconds))
            tell(f"latency: {rate} alerts/s for {seconds} s, the workers stopped")
            journeys = Journeys()
            with stopped_workers(stack):
                push(stack.facts, rate, seconds, journeys)
                append_bare(stack.facts, rate, seconds, journeys)
            describe(report, f"{rate}/s, workers stopped", journeys)
        finally:
            if stack.process is not None:
                stack.stop()
    return [report]


def pause_receiver(stack: Stack) -> None:
    """Leave what is due to the stack's own receiver where it is."""
    command = [sys.executable, "-m", "console.command", "subscriptions", "pause", "local-receiver"]
    environment = os.environ | stack.facts | {"ALERT_INTAKE_CONFIG": str(stack.var / "config.toml")}
    subprocess.run(command, env=environment, check=True, capture_output=True)


@contextmanager
def stopped_workers(stack: Stack) -> Iterator[None]:
    """Let no worker have a processor inside: the door and its journal have them for themselves."""
    assert stack.process is not None
    parts = psutil.Process(stack.process.pid).children(recursive=True)
    workers = [part for part in parts if "workers.app" in part.cmdline()]
    for worker in workers:
        worker.suspend()
    try:
        yield
    finally:
        for worker in workers:
            worker.resume()


def describe(report: Report, pace: str, journeys: Journeys) -> None:
    """Add the rows of one pace."""
    stations: dict[str, Sequence[float]] = {
        "bare XADD, fsynced": journeys.appended,
        "acknowledged": list(journeys.acknowledged.values()),
        "row visible": journeys.visible,
        "delivered": journeys.delivered,
    }
    for station, times in stations.items():
        if times:
            cells = [f"{quantile(times, share) * 1000:.1f}" for share in SHARES]
            report.add(pace, station, *cells, f"{max(times) * 1000:.1f}", GOALS.get(station, ""))


def quantile(times: Sequence[float], share: float) -> float:
    """Return the time within which that share of the alerts was there."""
    return sorted(times)[max(0, math.ceil(len(times) * share) - 1)]
