"""The footprint: what an alert takes in Redis and PostgreSQL, what each process takes of memory, and a cold start."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.bench.drain_site import Site, open_site
from tests.bench.report import Report, spread
from tests.e2e.processes import command_line, descendants
from tests.e2e.running import Stack, open_folder

ALERTS = 20_000
STARTS = 3
MIB = 2**20

# A word of the command line, and whose process it is; the first that fits counts.
PARTS = {
    "gunicorn.platform.conf": "platform listener",
    "gunicorn.console.conf": "console",
    "gunicorn.conf": "door",
    "-Q drain": "drain worker",
    "-Q forward": "forward worker",
    "-Q enrich": "enrich worker",
    " beat": "beat",
    "valkey-server": "Valkey, journal and broker",
    "postgres": "PostgreSQL",
    "receiver": "local receiver",
}
SUPERVISOR = "alert-intake up"


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of a process: resident, and its share of what it has in common with others."""

    resident: int
    share: int


def measure_footprint(tell: Callable[[str], object], alerts: int = ALERTS) -> list[Report]:
    """Measure, and return the tables."""
    tell(f"footprint: {alerts} alerts")
    with open_site() as site:
        stored = measure_alerts(site, alerts)
    starts = []
    memory: dict[str, list[Memory]] = {}
    for number in range(STARTS):
        tell(f"footprint: cold start {number + 1} of {STARTS}")
        with open_folder("bench") as folder:
            stack = Stack(folder / "var", folder / "output")
            try:
                starts.append(stack.start("--no-samples"))
                assert stack.process is not None
                memory = measure_memory(stack.process.pid)
            finally:
                if stack.process is not None:
                    stack.stop()
    return [stored, describe_memory(memory), describe_starts(starts)]


def measure_alerts(site: Site, alerts: int) -> Report:
    """Store so many alerts, and return what one took: waiting, and stored, by table."""
    report = Report(f"bytes an alert, of {alerts} with bodies of about 650 bytes", ("where", "bytes"))
    report.add("Redis, waiting in the journal", f"{site.fill(alerts):.0f}")
    with psycopg.connect(site.workshop.database_url, autocommit=True) as database:
        before = measure_tables(database)
        site.drain("drain")
        after = measure_tables(database)
    grown = {table: (size - before.get(table, 0)) / alerts for table, size in after.items()}
    report.add("PostgreSQL, stored, with indexes", f"{sum(grown.values()):.0f}")
    for table, size in sorted(grown.items(), key=lambda item: -item[1]):
        if size >= 1:
            report.add(f"of these {table}", f"{size:.0f}")
    return report


def measure_tables(database: psycopg.Connection) -> dict[str, int]:
    """Return the bytes of each table with its indexes, all its partitions together."""
    return {str(name): int(size) for name, size in database.execute(SIZES)}


def measure_memory(pid: int) -> dict[str, list[Memory]]:
    """Return the memory of every process of the stack, by part."""
    found: dict[str, list[Memory]] = defaultdict(list)
    found[SUPERVISOR].append(read_memory(pid))
    for process in descendants(pid):
        command = command_line(process)
        part = next((part for word, part in PARTS.items() if word in command), None)
        if part is not None:
            found[part].append(read_memory(process))
    return found


def read_memory(pid: int) -> Memory:
    """Read what Linux says of a process."""
    lines = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    sizes = {name: int(size) * 1024 for name, size, *_ in lines}
    return Memory(sizes["Rss:"], sizes["Pss:"])


def describe_memory(memory: dict[str, list[Memory]]) -> Report:
    """Return the table of memory."""
    report = Report(
        "memory after the start, MiB", ("part", "processes", "resident, the largest", "together, shared parts once")
    )
    for part, processes in memory.items():
        largest, together = max(one.resident for one in processes), sum(one.share for one in processes)
        report.add(part, str(len(processes)), f"{largest / MIB:.0f}", f"{together / MIB:.0f}")
    whole = sum(one.share for processes in memory.values() for one in processes)
    report.add("all", str(sum(map(len, memory.values()))), "", f"{whole / MIB:.0f}")
    return report


def describe_starts(starts: list[float]) -> Report:
    """Return the table of cold starts."""
    report = Report("cold start of the whole stack, with new data folders and certificates", ("what", "seconds"))
    report.add("until every part answers", spread(starts, ".1f"))
    return report


SIZES = """
    SELECT coalesce(parent.relname, c.relname) AS name, sum(pg_total_relation_size(c.oid))::bigint
    FROM pg_class c
    LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class parent ON parent.oid = i.inhparent
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY 1
"""

if __name__ == "__main__":
    from rich.console import Console

    console = Console()
    for table in measure_footprint(console.print):
        console.print(table.to_rich())
