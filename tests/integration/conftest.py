"""What tests share: a door, the workshop's settings on empty servers, and a way to ask its database."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from deploy.embedded.engine import Server
from tests.conftest import CertificateFiles
from tests.gunicorn import Process, run_door
from tests.integration.door import Equipment, equip
from tests.integration.downstream import QUICK, Receiver, run_receiver, tuned
from workers.settings import Workshop, load_workshop

Query = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def equipment(
    tmp_path_factory: pytest.TempPathFactory, certificates: CertificateFiles, journal_server: Server
) -> Equipment:
    """Configure a door."""
    return equip(tmp_path_factory.mktemp("door"), certificates, journal_server.url)


@pytest.fixture(scope="module")
def door(equipment: Equipment) -> Iterator[Process]:
    """Run a door of one process for all tests of a module."""
    with run_door(equipment.environment, equipment.file.parent / "log") as process:
        yield process


@pytest.fixture
def workshop(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """Return the settings of a workshop on empty servers."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_workshop()


@pytest.fixture
def query(workshop: Workshop) -> Iterator[Query]:
    """Return a function that asks the database."""
    with psycopg.connect(workshop.database_url, autocommit=True, row_factory=dict_row) as database:
        yield lambda statement, *values: database.execute(statement, values).fetchall()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Run a downstream service on a free port."""
    with run_receiver() as target:
        yield target


@pytest.fixture
def quick(workshop: Workshop) -> Workshop:
    """Return a workshop that retries quickly and may deliver to loopback."""
    return tuned(workshop, QUICK)
