"""One stack for the suite, with a broker that the tests can kill; and the table at the end."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.running import Account, Stack, open_folder
from tests.faults.broker import Broker
from tests.faults.report import HEADINGS, Row
from tests.faults.site import Site
from tests.faults.table import TIMES, Table

POISON = Path(__file__).with_name("poison")
TABLE = pytest.StashKey[Table]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin the table."""
    config.stash[TABLE] = Table("faults", HEADINGS, "FAULTS_TABLE")
    config.pluginmanager.register(config.stash[TABLE])


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[Row], None]:
    """Return what puts a row into the table."""
    return request.config.stash[TABLE].note(request.node)


@pytest.fixture(scope="session")
def times() -> int:
    """Return how often each fault is injected."""
    return TIMES


@pytest.fixture(scope="package")
def faults_folder() -> Iterator[Path]:
    """Return a short temporary folder that every account may enter."""
    with open_folder("faults") as folder:
        yield folder


@pytest.fixture(scope="package")
def site(faults_folder: Path) -> Iterator[Site]:
    """Run the stack for all tests here. Its Python programs load `poison/sitecustomize.py`."""
    broker = Broker(faults_folder / "broker.log")
    broker.start()
    account = Account(environment={"BROKER_URL": broker.url, "PYTHONPATH": str(POISON)})
    try:
        with Stack(faults_folder / "var", faults_folder / "output", account).running() as stack:
            yield Site(stack, broker)
    finally:
        broker.kill()
