"""What the console's lookout claims to have seen, on real servers of which not all answer."""

from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Event

import psycopg
import pytest

from console.pages.lookout import Lookout, Sight
from console.pages.standing import Standing
from console.pages.troubles import find_troubles
from console.pool import ReadPool
from schemas.journal.append import connect_journal
from tests.gunicorn import wait_for
from tests.integration.conftest import Query
from workers.settings import Workshop


@pytest.fixture
def lookout(workshop: Workshop) -> Iterator[Lookout]:
    """Return a lookout that has not begun."""
    over, pool = Event(), ReadPool(workshop.database_url, 1)
    with connect_journal(workshop.journal_url, 5.0) as journal:
        lookout = Lookout(workshop.configuration, pool, journal)
        lookout.lives_while(lambda: not over.is_set())
        yield lookout
        over.set()
    pool.close()


def say_troubles(sight: Sight) -> str:
    """Return what the first page says of what was seen."""
    standing = Standing(
        datetime.now(UTC), {"full": []}, {}, sight.books, sight.books_at, sight.at, books_every=sight.books_every
    )
    return " ".join(trouble.what for trouble in find_troubles(standing))


def test_books_that_cannot_be_audited_are_not_called_well(lookout: Lookout, workshop: Workshop) -> None:
    """All is seen but the books: the first page says that nobody has audited them, and stops when somebody has."""
    with psycopg.connect(workshop.database_url, autocommit=True) as admin:
        admin.execute("ALTER TABLE journals RENAME TO elsewhere")
        wait_for(lambda: lookout.sight().at is not None)
        assert lookout.sight().books is None
        assert "The books have not been audited yet" in say_troubles(lookout.sight())
        admin.execute("ALTER TABLE elsewhere RENAME TO journals")
    wait_for(lambda: lookout.sight().books is not None, 30)
    assert "books" not in say_troubles(lookout.sight()).lower()


def test_round_in_which_a_server_was_silent_counts_for_nothing(
    lookout: Lookout, workshop: Workshop, query: Query
) -> None:
    """Where the journal cannot be read rounds go on, and the page says that nobody has looked."""
    with connect_journal(workshop.journal_url, 5.0) as journal:
        journal.set(workshop.configuration.journal.stream, "no stream at all")
    lookout.start()
    wait_for(lambda: query("SELECT count(*) AS n FROM samples") == [{"n": 2}], 20)  # the first round is over
    assert lookout.sight().at is None
    assert "have not been looked at" in say_troubles(lookout.sight())
    with connect_journal(workshop.journal_url, 5.0) as journal:
        journal.delete(workshop.configuration.journal.stream)
    wait_for(lambda: lookout.sight().at is not None, 20)
