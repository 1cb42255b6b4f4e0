"""Sessions that wait for a client who is gone are ended by the next drain, and no others."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from tests.gunicorn import wait_for
from tests.integration.conftest import Query
from workers.database.connections import Database, connect_database
from workers.settings import Workshop
from workers.upkeep.sessions import end_abandoned

INSIDE = "INSERT INTO identities (network, provider_alert_id, alert_id) VALUES ('x', 'y', gen_random_uuid())"
COPY = "COPY identities (network, provider_alert_id, alert_id) FROM STDIN"


@pytest.fixture
def own(workshop: Workshop) -> Iterator[Database]:
    """Connect as a drain does."""
    with connect_database(workshop.database_url, "drain") as database:
        yield database


def test_copy_whose_rows_do_not_come_is_ended(own: Database, workshop: Workshop, query: Query) -> None:
    """It holds an identity and would hold it for ever: ended, whoever waits for the identity gets it."""
    with ExitStack() as silent:
        gone = connect_database(workshop.database_url, "drain")
        silent.callback(gone.close)
        gone.execute("BEGIN")
        gone.execute(INSIDE)
        gone.execute("SET statement_timeout = '1s'")
        copy = gone.cursor().copy(COPY)
        copy.__enter__()
        waiting = [{"state": "active", "wait_event": "ClientRead"}]
        look = "SELECT state, wait_event FROM pg_stat_activity WHERE pid = %s"
        wait_for(lambda: query(look, gone.info.backend_pid) == waiting)
        time.sleep(1.5)
        assert query("SELECT 1 FROM pg_stat_activity WHERE pid = %s", gone.info.backend_pid), "a timeout is enough"
        assert end_abandoned(own, 60) == 0
        assert end_abandoned(own, 0.5) == 1
        wait_for(lambda: not query("SELECT 1 FROM pg_stat_activity WHERE pid = %s", gone.info.backend_pid))
        own.execute("SET lock_timeout = '10s'")
        own.execute(INSIDE)
        with pytest.raises(psycopg.OperationalError):
            copy.__exit__(None, None, None)


def test_session_that_holds_nothing_or_is_not_ours_is_left(own: Database, workshop: Workshop) -> None:
    """One that idles outside of a transaction stays, and so does a stranger's."""
    with (
        connect_database(workshop.database_url, "forward") as idle,
        psycopg.connect(workshop.database_url, application_name="report") as stranger,
    ):
        stranger.execute("SELECT 1")
        time.sleep(0.2)
        assert end_abandoned(own, 0.1) == 0
        assert idle.execute("SELECT 1 AS one").fetchone() == {"one": 1}
        stranger.execute("SELECT 1")
