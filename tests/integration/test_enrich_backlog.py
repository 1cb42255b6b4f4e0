"""A backlog of alerts that nobody asked about in time, on a real PostgreSQL: no fresh one waits for it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.integration.explaining import Explaining, fill_month
from workers.database.connections import Database, connect_database
from workers.lookups.late import settle_late
from workers.lookups.waiting import lease_waiting

if TYPE_CHECKING:
    from deploy.embedded.engine import Server

EXPIRED = 4000
FRESH = 20
HUNDREDS = 200  # that are settled together
FEW = 100  # rows that may be read for nothing
# The last alerts are fresh. Of the others nobody was asked for hours; the last of these were asked about once.
WAIT = """
    INSERT INTO identities SELECT network, provider_alert_id, id FROM alerts;
    UPDATE alerts SET enrichment = '{"failed": ["merchant"], "pending": ["orders", "stock"]}';
    UPDATE events SET alert = '{"enrichment": {"pending": ["orders", "stock"]}}';
    UPDATE outbox SET state = 'due', held = true, attempts = 0;
    INSERT INTO enrichments (alert_id, due_at, give_up_at)
    SELECT id, now() - make_interval(secs => (%(all)s - position) / 10.0), CASE WHEN position > %(expired)s
           THEN now() + interval '1 hour' ELSE now() - make_interval(secs => (%(all)s - position) / 10.0) END
    FROM alerts;
"""
SETTLED = """
    SELECT a.enrichment AS alert, v.alert->'enrichment' AS event, o.held FROM alerts a
    JOIN events v ON v.alert_id = a.id JOIN outbox o ON o.alert_id = a.id
    WHERE NOT EXISTS (SELECT FROM enrichments e WHERE e.alert_id = a.id)
"""


@pytest.fixture
def backlog(postgres_server: "Server") -> Iterator[str]:
    """Return the address of a database in which many alerts wait in vain, and a few do not."""
    with fill_month(postgres_server.url, EXPIRED + FRESH) as url:
        with psycopg.connect(url, autocommit=True) as database:
            for statement in WAIT.split(";\n"):
                database.execute(statement.encode(), {"all": EXPIRED + FRESH, "expired": EXPIRED})
        yield url


@pytest.fixture
def database(backlog: str) -> Iterator[Database]:
    """Return a worker's connection."""
    with connect_database(backlog, "test") as connection:
        yield connection


def count(database: psycopg.Connection[Any], condition: str) -> int:
    """Count the alerts that wait, of those that a condition names."""
    statement = f"SELECT count(*) AS n FROM enrichments WHERE {condition}"  # noqa: S608 - of constants
    (row,) = database.execute(statement.encode()).fetchall()
    return int(row["n"])


@pytest.mark.parametrize("analyzed", [False, True])
def test_lease_steps_over_nothing_that_is_too_late(backlog: str, *, analyzed: bool) -> None:
    """However many have expired, those that may still be enriched are read alone, whatever PostgreSQL knows of both."""
    with Explaining.connect(backlog, autocommit=True, row_factory=dict_row) as explaining:
        explaining.plans = []
        if analyzed:
            explaining.execute("VACUUM (ANALYZE) enrichments")
        # Explained with what it reads, so executed twice: the second lease finds what the first has left.
        left = lease_waiting(explaining, FRESH // 2, 60)
        assert len(left) == FRESH // 2
        assert count(explaining, "lease IS NOT NULL AND give_up_at > now()") == FRESH
        assert explaining.count_discarded() < FEW


def test_expired_alerts_are_settled_together(database: Database) -> None:
    """Each time some hundreds, of which all is written: what is pending has failed, and what was held is let go."""
    for turn in range(1, 4):
        assert settle_late(database) == {"given_up": HUNDREDS}
        assert count(database, "give_up_at < now()") == EXPIRED - turn * HUNDREDS
    settled = database.execute(SETTLED).fetchall()
    assert settled == [
        {
            "alert": {"failed": ["merchant", "orders", "stock"]},
            "event": {"failed": ["orders", "stock"]},
            "held": False,
        }
    ] * (3 * HUNDREDS)
    assert count(database, "give_up_at > now()") == FRESH


def test_what_others_hold_is_left_to_the_next_turn(backlog: str, database: Database) -> None:
    """While a drain changes one of them, or another worker settles them, nobody waits, and none is settled twice."""
    with connect_database(backlog, "drain") as drain, drain.transaction():
        drain.execute(
            "SELECT FROM identities WHERE alert_id = (SELECT alert_id FROM enrichments ORDER BY give_up_at LIMIT 1)"
            " FOR UPDATE"
        )
        database.execute("SET lock_timeout = '1s'")
        assert settle_late(database) == {"given_up": HUNDREDS - 1}
    settled = HUNDREDS - 1
    while verdicts := settle_late(database):
        settled += verdicts.total()
    assert (settled, count(database, "true")) == (EXPIRED, FRESH)
