"""The ceiling of the door: durable acknowledgements a second, to the answers of a bare Flask route that keeps nothing.

Both are served by the same gunicorn, with the settings, TLS and number of processes of the door, the bare route by the
gevent worker that gunicorn brings, and asked by the same senders, in rounds that alternate: over connections that stay,
and with a new TLS connection for each push.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.bench.load import push_together
from tests.bench.report import Report, ratios, spread
from tests.bench.servers import PLAIN_WORKER, Bench, cpu_seconds, open_bench
from tests.integration.door import Process

ROUNDS = 5
SECONDS = 5.0
WARM_SECONDS = 1.0
SENDERS = 2  # processes
CONNECTIONS = 16  # of each
WAYS = {True: "connections that stay", False: "a new connection for each push"}
GOALS = {True: "≥ 1.0", False: "≥ 0.95"}


@dataclass
class Rates:
    """What was measured of one server in one way, round by round: answers a second, and what each cost it in µs."""

    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)


def measure_ceiling(tell: Callable[[str], object], rounds: int = ROUNDS, seconds: float = SECONDS) -> list[Report]:
    """Measure, and return the table."""
    measured: dict[tuple[str, bool], Rates] = defaultdict(Rates)
    with (
        open_bench() as bench,
        bench.serve("door", "ingress.app:create_app()") as door,
        bench.serve("bare", "tests.bench.bare:create_app()", **PLAIN_WORKER) as bare,
    ):
        servers = {"door": door, "bare": bare}
        for keep_alive in WAYS:
            for name, server in servers.items():
                tell(f"ceiling: {name}, {WAYS[keep_alive]}, warming")
                push_together(bench.plan(server, CONNECTIONS, WARM_SECONDS, keep_alive=keep_alive), SENDERS)
        for number in range(rounds):
            for keep_alive in WAYS:
                order = list(servers) if number % 2 else list(reversed(servers))
                for name in order:
                    tell(f"ceiling: {name}, {WAYS[keep_alive]}, round {number + 1} of {rounds}")
                    measure(bench, servers[name], measured[name, keep_alive], seconds, keep_alive=keep_alive)
    return [describe(measured)]


def measure(bench: Bench, server: Process, rates: Rates, seconds: float, *, keep_alive: bool) -> None:
    """Measure one server for some seconds. The journal's work is part of what the door's pushes cost."""
    bench.empty_journal()
    pushed = push_together(
        bench.plan(server, CONNECTIONS, seconds, keep_alive=keep_alive),
        SENDERS,
        lambda: cpu_seconds(server.popen.pid) + cpu_seconds(bench.journal.process.pid),
    )
    rates.rates.append(pushed.rate)
    rates.costs.append(pushed.spent / pushed.acknowledged * 1e6)


def describe(measured: dict[tuple[str, bool], Rates]) -> Report:
    """Return the table."""
    report = Report(
        f"the door against a bare route, {SENDERS * CONNECTIONS} connections",
        ("way", "door, durable acks/s", "bare, answers/s", "door to bare", "goal", "CPU µs of door", "of bare"),
    )
    for keep_alive, way in WAYS.items():
        door, bare = measured["door", keep_alive], measured["bare", keep_alive]
        report.add(
            way,
            spread(door.rates, ".0f"),
            spread(bare.rates, ".0f"),
            spread(ratios(door.rates, bare.rates)),
            GOALS[keep_alive],
            spread(door.costs, ".0f"),
            spread(bare.costs, ".0f"),
        )
    return report


if __name__ == "__main__":
    from rich.console import Console

    console = Console()
    for table in measure_ceiling(console.print):
        console.print(table.to_rich())
