"""What the first page counts, on a real PostgreSQL."""

from collections.abc import Iterator

import pytest

from console.books.present import count_present
from console.connections import Database, open_database
from tests.integration.conftest import Query
from tests.integration.downstream import announce, subscribe
from workers.settings import Workshop


@pytest.fixture
def database(workshop: Workshop) -> Iterator[Database]:
    """Return the console's connection, every statement of which sees what is committed by then."""
    with open_database() as database:
        database.commit()
        database.autocommit = True
        yield database


def test_late_is_what_an_active_subscription_waits_for(workshop: Workshop, query: Query, database: Database) -> None:
    """What waits because its subscription is paused or tripped is not late, and hides nothing that is."""
    ids = {state: subscribe(workshop, "https://x.example/", state=state) for state in ("paused", "tripped", "active")}
    announce(workshop, "alert.created")
    hours = {"paused": 9, "tripped": 5, "active": 0}
    for state, own in ids.items():
        query("UPDATE outbox SET due_at = now() - make_interval(hours => %s) WHERE subscription_id = %s RETURNING 1",
              hours[state], own)  # fmt: skip
    present = count_present(database)
    assert (present["halted"], present["due"]) == (2, 3)
    assert present["late"] < 3600
    query("UPDATE outbox SET due_at = now() - interval '2 hours' WHERE subscription_id = %s RETURNING 1", ids["active"])
    assert 2 * 3600 <= count_present(database)["late"] < 3 * 3600
