"""The ceiling of the door: durable acknowledgements a second, to the answers of a bare Flask route that keeps nothing.

Both are served by the same gunicorn, with the settings, TLS and number of processes of the door, the bare route by the
gevent worker that gunicorn brings, and asked by the same senders, in rounds that alternate: over connections that stay,
with heads that are alike, each in one piece with its body, or as ordinary HTTP clients would send them; and with a new
TLS connection for each push.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.bench.load import Plan, push_together
from tests.bench.report import Report, ratios, spread
from tests.bench.servers import PLAIN_WORKER, Bench, cpu_seconds, open_bench
from tests.gunicorn import Process

ROUNDS = 5
SECONDS = 5.0
WARM_SECONDS = 1.0
SENDERS = 2  # processes
CONNECTIONS = 16  # of each


@dataclass(frozen=True, slots=True)
class Way:
    """How pushes are sent (`load.Plan`), and how many a second the door is to acknowledge, to the bare route."""

    name: str
    goal: str
    keep_alive: bool = True
    varied: bool = False


WAYS = (
    Way("connections that stay", "≥ 1.0"),
    Way("connections that stay, no two heads alike, bodies apart", "≥ 1.0", varied=True),
    Way("a new connection for each push", "≥ 0.95", keep_alive=False),
)


@dataclass
class Rates:
    """What was measured of one server in one way, round by round: answers a second, and what each cost it in µs."""

    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)


def measure_ceiling(tell: Callable[[str], object], rounds: int = ROUNDS, seconds: float = SECONDS) -> list[Report]:
    """Measure, and return the table."""
    measured: dict[tuple[str, Way], Rates] = defaultdict(Rates)
    with (
        open_bench() as bench,
        bench.serve("door", "ingress.app:create_app()") as door,
        bench.serve("bare", "tests.bench.bare:create_app()", **PLAIN_WORKER) as bare,
    ):
        servers = {"door": door, "bare": bare}
        for way in WAYS:
            for name, server in servers.items():
                tell(f"ceiling: {name}, {way.name}, warming")
                push_together(plan(bench, server, way, WARM_SECONDS), SENDERS)
        for number in range(rounds):
            for way in WAYS:
                order = list(servers) if number % 2 else list(reversed(servers))
                for name in order:
                    tell(f"ceiling: {name}, {way.name}, round {number + 1} of {rounds}")
                    measure(bench, servers[name], measured[name, way], way, seconds)
    return [describe(measured)]


def plan(bench: Bench, server: Process, way: Way, seconds: float) -> Plan:
    """Return how to push to a server for some seconds."""
    return bench.plan(server, CONNECTIONS, seconds, keep_alive=way.keep_alive, varied=way.varied)


def measure(bench: Bench, server: Process, rates: Rates, way: Way, seconds: float) -> None:
    """Measure one server for some seconds. The journal's work is part of what the door's pushes cost."""
    bench.empty_journal()
    pushed = push_together(
        plan(bench, server, way, seconds),
        SENDERS,
        lambda: cpu_seconds(server.popen.pid) + cpu_seconds(bench.journal.process.pid),
    )
    rates.rates.append(pushed.rate)
    rates.costs.append(pushed.spent / pushed.acknowledged * 1e6)


def describe(measured: dict[tuple[str, Way], Rates]) -> Report:
    """Return the table."""
    report = Report(
        f"the door against a bare route, {SENDERS * CONNECTIONS} connections",
        ("way", "door, durable acks/s", "bare, answers/s", "door to bare", "goal", "CPU µs of door", "of bare"),
    )
    for way in WAYS:
        door, bare = measured["door", way], measured["bare", way]
        report.add(
            way.name,
            spread(door.rates, ".0f"),
            spread(bare.rates, ".0f"),
            spread(ratios(door.rates, bare.rates)),
            way.goal,
            spread(door.costs, ".0f"),
            spread(bare.costs, ".0f"),
        )
    return report


if __name__ == "__main__":
    from rich.console import Console

    console = Console()
    for table in measure_ceiling(console.print):
        console.print(table.to_rich())
