"""What the tests of the workshop share: its settings on empty servers, and a way to ask its database."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from workers.settings import Workshop, load_workshop

Query = Callable[..., list[dict[str, Any]]]


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
