"""What the console's lookout claims to have seen, on real servers of which not all answer."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Event

import psycopg
import pytest

from console.pages import auditor
from console.pages.lookout import Lookout, Sight
from console.pages.standing import Standing
from console.pages.troubles import find_troubles
from console.pool import ReadPool
from schemas.journal.append import GROUP, connect_journal
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


def stand(sight: Sight) -> Standing:
    """Return how things stand after what was seen, where nothing else is wrong."""
    return Standing(datetime.now(UTC), {"full": []}, {}, sight.audited, sight.at, sight.workers)


def say_troubles(sight: Sight) -> str:
    """Return what the first page says of what was seen."""
    return " ".join(trouble.what for trouble in find_troubles(stand(sight)))


def test_books_that_cannot_be_audited_are_not_called_well(lookout: Lookout, workshop: Workshop) -> None:
    """All is seen but the books: the first page says that nobody has audited them, and stops when somebody has."""
    with psycopg.connect(workshop.database_url, autocommit=True) as admin:
        admin.execute("ALTER TABLE journals RENAME TO elsewhere")
        wait_for(lambda: lookout.sight().at is not None)
        assert lookout.sight().audited.books is None
        assert "The books have not been audited yet" in say_troubles(lookout.sight())
        admin.execute("ALTER TABLE elsewhere RENAME TO journals")
    wait_for(lambda: lookout.sight().audited.books is not None, 30)
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


def test_audit_that_takes_long_hides_nothing_else(lookout: Lookout, workshop: Workshop, query: Query) -> None:
    """While an audit waits, for a lock here, looks go on: the living drain is seen to live, and samples are taken."""
    stream = workshop.configuration.journal.stream
    with (
        psycopg.connect(workshop.database_url) as admin,
        connect_journal(workshop.journal_url, 5.0) as journal,
    ):
        journal.xgroup_create(stream, GROUP, id="0", mkstream=True)
        admin.execute("LOCK TABLE journals")

        def look() -> datetime:
            journal.xreadgroup(GROUP, "drain@test/0", {stream: ">"})  # as a drain asks
            return lookout.sight().at or never

        never = datetime.min.replace(tzinfo=UTC)
        wait_for(lambda: look() > never)
        first = look()
        wait_for(lambda: query("SELECT FROM pg_locks WHERE NOT granted AND relation = 'journals'::regclass"))
        wait_for(lambda: look() > first + timedelta(seconds=6), 25)  # an audit would wait for 30
        assert lookout.sight().audited.books is None
        assert stand(lookout.sight()).pool_lives("drain")
        assert query("SELECT count(*) AS n FROM samples")[0]["n"] >= 2
    wait_for(lambda: lookout.sight().audited.books is not None, 30)


def test_books_are_not_audited_while_very_much_waits(
    lookout: Lookout, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more entries than an audit reads none is made, and the first page says why; with fewer it goes on."""
    monkeypatch.setattr(auditor, "MOST_WAITING", 2)
    monkeypatch.setattr(auditor, "AUDIT_SECONDS", 0.2)
    stream = workshop.configuration.journal.stream
    with connect_journal(workshop.journal_url, 5.0) as journal:
        for number in range(1, 4):
            journal.xadd(stream, {b"v": b"9"}, id=f"{number}-0")
        wait_for(lambda: lookout.sight().audited.crowded)
        wait_for(lambda: lookout.sight().at is not None)
        assert lookout.sight().audited.books is None
        assert "not been audited yet: more than" in say_troubles(lookout.sight())
        journal.xdel(stream, "1-0")
        wait_for(lambda: lookout.sight().audited.books is not None)
        assert not lookout.sight().audited.crowded
