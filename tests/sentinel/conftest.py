"""For each setting of journal.replicas a cluster and a stack on it; and the table at the end."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import pytest

from tests.e2e.running import Account, Stack, open_folder
from tests.faults.site import DOOR, PLATFORM, Site, send_signal
from tests.faults.table import Table
from tests.sentinel.cluster import Cluster
from tests.sentinel.report import HEADINGS, Row

if TYPE_CHECKING:
    from tests.faults.broker import Broker

TABLE = pytest.StashKey[Table]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin the table."""
    config.stash[TABLE] = Table("failovers", HEADINGS, "SENTINEL_TABLE")
    config.pluginmanager.register(config.stash[TABLE])


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[Row], None]:
    """Return what puts a row into the table."""
    return request.config.stash[TABLE].note(request.node)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the accidents happen."""

    replicas: int
    cluster: Cluster
    site: Site


@pytest.fixture(scope="module", params=[0, 1], ids=["alone", "replicated"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Run a cluster, and on it the whole stack with that setting."""
    with open_folder("sentinel") as folder, contextlib.closing(Cluster(folder)) as cluster:
        cluster.start()
        account = Account(environment={"JOURNAL_URL": cluster.url("journal"), "BROKER_URL": cluster.url("broker")})
        with Stack(folder / "var", folder / "output", account).running() as stack:
            site = Site(stack, cast("Broker", None))  # the broker is the cluster's
            demand_replicas(site, request.param)
            yield Place(request.param, cluster, site)


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
