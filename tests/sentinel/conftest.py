"""For each setting of journal.replicas a cluster and a stack on it; and the table at the end."""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from tests.e2e.running import Account, Stack
from tests.faults.site import DOOR, Site, send_signal
from tests.sentinel.cluster import Cluster
from tests.sentinel.report import Row, write_table

if TYPE_CHECKING:
    from tests.faults.broker import Broker

ROWS = pytest.StashKey[list[Row]]()
PLATFORM = "ingress.health"


def pytest_configure(config: pytest.Config) -> None:
    """Make room for the rows of the table."""
    config.stash[ROWS] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table, and write it to the file that SENTINEL_TABLE names."""
    if rows := config.stash[ROWS]:
        table = write_table(rows)
        terminalreporter.section("failovers")
        terminalreporter.write_line(table)
        if file := os.environ.get("SENTINEL_TABLE"):
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            Path(file).write_text(table + "\n", encoding="utf-8")


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[Row], None]:
    """Return what puts a row into the table."""
    return request.config.stash[ROWS].append


@dataclass(frozen=True, slots=True)
class Place:
    """Where the accidents happen."""

    replicas: int
    cluster: Cluster
    site: Site


@pytest.fixture(scope="module", params=[0, 1], ids=["alone", "replicated"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Run a cluster, and on it the whole stack with that setting."""
    folder = Path(tempfile.mkdtemp(prefix="alert-intake-sentinel-"))
    folder.chmod(0o755)
    cluster = Cluster(folder)
    account = Account(environment={"JOURNAL_URL": cluster.url("journal"), "BROKER_URL": cluster.url("broker")})
    stack = Stack(folder / "var", folder / "output", account)
    try:
        cluster.start()
        stack.start("--no-samples")
        site = Site(stack, cast("Broker", None))  # the broker is the cluster's
        demand_replicas(site, request.param)
        yield Place(request.param, cluster, site)
    finally:
        if stack.process is not None and stack.process.poll() is None:
            stack.stop()
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def demand_replicas(site: Site, replicas: int) -> None:
    """Set journal.replicas, and let the supervisor start the door again, which reads it."""
    with (site.stack.var / "config.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n[journal]\nreplicas = {replicas}\n")
    before = set(site.masters(DOOR) + site.masters(PLATFORM))
    send_signal(before, signal.SIGTERM)
    site.seconds_until(
        lambda: all(site.masters(name) and not before & set(site.masters(name)) for name in (DOOR, PLATFORM)),
        30,
        "the door is started again",
    )
