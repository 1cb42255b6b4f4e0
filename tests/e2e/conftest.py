"""The whole stack, started as a user starts it, and known only by what it says of itself in run.env."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e import running
from tests.e2e.running import Stack
from tests.e2e.sender import Sender
from tests.e2e.victim import HEADINGS
from tests.faults.table import Row, Table

ABUSE = pytest.StashKey[Table]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin the table of attacks."""
    config.stash[ABUSE] = Table("abuse", HEADINGS, "ABUSE_TABLE")
    config.pluginmanager.register(config.stash[ABUSE])


@pytest.fixture
def note_abuse(request: pytest.FixtureRequest) -> Callable[[Row], None]:
    """Return what puts a row into the table of attacks."""
    return request.config.stash[ABUSE].note(request.node)


@pytest.fixture(scope="package")
def open_folder() -> Iterator[Path]:
    """Return a temporary folder that every user may enter, unlike pytest's own."""
    with running.open_folder("e2e") as folder:
        yield folder


@pytest.fixture(scope="package")
def stack(open_folder: Path) -> Iterator[Stack]:
    """Run the stack for all tests here, on a new folder and free ports, without the sample alerts."""
    with Stack(open_folder / "var", open_folder / "output").running() as stack:
        yield stack


@pytest.fixture(scope="package")
def run(stack: Stack) -> dict[str, str]:
    """Return what run.env says of the stack that runs for all tests here."""
    return stack.facts


@pytest.fixture(scope="package")
def run_folders(stack: Stack) -> list[Path]:
    """Return the folders that the stack writes to: its own, and PostgreSQL's where that lies elsewhere."""
    data = Path(json.loads((stack.var / "postgres" / "engine.json").read_text())["data"])
    return [stack.var, data] if data.is_absolute() else [stack.var]


@pytest.fixture
def ethoca(run: dict[str, str]) -> Iterator[Sender]:
    """Return a sender with Ethoca's certificate and header."""
    with contextlib.closing(Sender(run)) as sender:
        yield sender


@pytest.fixture
def reseller(run: dict[str, str]) -> Iterator[Sender]:
    """Return a sender with a reseller's header and no certificate."""
    with contextlib.closing(Sender(run, "reseller", certificate=False)) as sender:
        yield sender
