"""One stack for the suite, with a broker that the tests can kill; and the table at the end."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.running import Account, Stack
from tests.faults.broker import Broker
from tests.faults.report import Row, write_table
from tests.faults.site import Site

POISON = Path(__file__).with_name("poison")
ROWS = pytest.StashKey[list[Row]]()
TIMES = int(os.environ.get("TIMES") or 1)


def pytest_configure(config: pytest.Config) -> None:
    """Make room for the rows of the table."""
    config.stash[ROWS] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table, and write it to the file that FAULTS_TABLE names."""
    if rows := config.stash[ROWS]:
        table = write_table(rows)
        terminalreporter.section("faults")
        terminalreporter.write_line(table)
        if file := os.environ.get("FAULTS_TABLE"):
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            Path(file).write_text(table + "\n", encoding="utf-8")


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[Row], None]:
    """Return what puts a row into the table."""
    return request.config.stash[ROWS].append


@pytest.fixture(scope="session")
def times() -> int:
    """Return how often each fault is injected."""
    return TIMES


@pytest.fixture(scope="session")
def faults_folder() -> Iterator[Path]:
    """Return a short temporary folder that every account may enter."""
    folder = Path(tempfile.mkdtemp(prefix="alert-intake-faults-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def site(faults_folder: Path) -> Iterator[Site]:
    """Run the stack for the whole session. Its Python programs load `poison/sitecustomize.py`."""
    broker = Broker(faults_folder / "broker.log")
    broker.start()
    account = Account(environment={"BROKER_URL": broker.url, "PYTHONPATH": str(POISON)})
    site = Site(Stack(faults_folder / "var", faults_folder / "output", account), broker)
    try:
        site.stack.start("--no-samples")
        yield site
    finally:
        if site.stack.process is not None and site.stack.process.poll() is None:
            site.stack.stop()
        broker.kill()
