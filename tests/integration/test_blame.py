"""A server that fails over one alert: the others are stored, it waits unblamed; one that fails for all blames none."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, cast
from uuid import uuid4

import msgspec
import psycopg
import pytest
import redis

from schemas.journal.append import ASIDE, GROUP, append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from tests.gunicorn import wait_for
from tests.integration.conftest import Query
from workers.database.connections import connect_database
from workers.enrichers.rules import load_rules
from workers.intake.blame import give_back
from workers.intake.consume import Consumer
from workers.intake.drain import drain
from workers.intake.incarnation import open_journal
from workers.intake.leftovers import PAUSES
from workers.intake.pipeline import Drained, Way
from workers.intake.validate import POISONED_AT
from workers.settings import Workshop

STREAM = "alert-intake:journal"
NAME = "drain@test/0"
KILL = "PERFORM pg_terminate_backend(pg_backend_pid())"
CANCEL = "RAISE 'canceling statement due to statement timeout' USING ERRCODE = '57014'"
BREAK = "RAISE 'a damaged page' USING ERRCODE = 'XX000'"
LONG_WAIT = 60.0


@pytest.fixture
def client(workshop: Workshop) -> Iterator[redis.Redis]:
    """Return a client of the journal."""
    with connect_journal(workshop.journal_url, 5.0) as client:
        yield client


@pytest.fixture
def brisk(workshop: Workshop) -> Workshop:
    """Return a workshop in which what was set aside rests for a moment only."""
    settings = msgspec.structs.replace(workshop.configuration.drain, stale_after=0.05)
    return replace(workshop, configuration=msgspec.structs.replace(workshop.configuration, drain=settings))


def push(client: redis.Redis, workshop: Workshop, *alerts: str | dict[str, str]) -> None:
    """Append alerts, or such of these ids, as the door does."""
    for alert in alerts:
        body = {"alertId": alert} if isinstance(alert, str) else alert
        envelope = Envelope("ethoca", json.dumps(body).encode(), uuid4().hex)
        append_entry(client, workshop.configuration.journal, seal_envelope(envelope, workshop.keyring))


def drain_until(workshop: Workshop, condition: Callable[[], bool]) -> None:
    """Drain again and again for a moment, as a worker does every second, whatever comes of it."""

    def tick() -> bool:
        with suppress(psycopg.Error):
            drain(workshop, NAME, 0.2)
        return condition()

    wait_for(tick, LONG_WAIT)


def break_over_a13(workshop: Workshop, how: str) -> None:
    """Have PostgreSQL do this when it is given the alert A13."""
    with psycopg.connect(workshop.database_url, autocommit=True) as database:
        database.execute(
            f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {how}; RETURN NEW; END $$".encode()
        )
        database.execute(
            "CREATE TRIGGER fail BEFORE INSERT ON alerts FOR EACH ROW"
            " WHEN (NEW.provider_alert_id = 'A13') EXECUTE FUNCTION fail()"
        )


def is_stored(query: Query, alerts: int) -> bool:
    """Say whether so many alerts are stored."""
    return query("SELECT count(*) AS n FROM alerts") == [{"n": alerts}]


def pending(client: redis.Redis) -> list[dict[str, Any]]:
    """Return what is handed out: to whom, how often, how long ago."""
    return cast("list[dict[str, Any]]", client.xpending_range(STREAM, GROUP, "-", "+", 1000))


def counts(client: redis.Redis) -> set[int]:
    """Return how often what is pending was handed out."""
    return {found["times_delivered"] for found in pending(client)}


@pytest.mark.parametrize("how", [KILL, CANCEL, BREAK], ids=["ends its session", "takes too long", "is damaged"])
def test_alert_that_the_server_fails_over_waits_and_holds_up_no_other(
    client: redis.Redis, brisk: Workshop, query: Query, how: str
) -> None:
    """However often it is tried it is never rejected; others are stored meanwhile, and it is once that is mended."""
    break_over_a13(brisk, how)
    push(client, brisk, *(f"A{number}" for number in range(50)))
    drain_until(brisk, lambda: is_stored(query, 49))
    drain_until(brisk, lambda: [found["consumer"] for found in pending(client)] == [ASIDE.encode()])
    for turn in range(POISONED_AT + 1):
        push(client, brisk, *(f"B{turn}-{number}" for number in range(5)))
        drain_until(brisk, partial(is_stored, query, 49 + 5 * (turn + 1)))
    assert client.xlen(STREAM) == 1
    assert query("SELECT count(*) AS n FROM rejections") == [{"n": 0}]
    query("SELECT 1; DROP TRIGGER fail ON alerts")
    drain_until(brisk, lambda: client.xlen(STREAM) == 0)
    assert query("SELECT count(*) AS n FROM alerts WHERE provider_alert_id = 'A13'") == [{"n": 1}]
    assert query("SELECT count(*) AS n FROM rejections") == [{"n": 0}]


def test_alert_that_the_server_fails_over_rests_longer_each_time(
    client: redis.Redis, brisk: Workshop, query: Query
) -> None:
    """It is tried again by itself, and how often it was set aside does not become how often it was never finished."""
    break_over_a13(brisk, CANCEL)
    push(client, brisk, "A13")
    drain_until(brisk, lambda: counts(client) == {len(PAUSES)})
    rested: list[int] = []

    def is_tried_again() -> bool:
        rested.append(pending(client)[0]["time_since_delivered"])
        return rested[-1] < max(rested)

    drain_until(brisk, is_tried_again)
    assert counts(client) == {len(PAUSES)}
    assert len(PAUSES) < POISONED_AT - 1
    assert query("SELECT count(*) AS n FROM rejections") == [{"n": 0}]


def test_alerts_come_together_again_when_the_server_failed_for_all(
    client: redis.Redis, brisk: Workshop, query: Query
) -> None:
    """While no alert is taken none is blamed: what was in hand stays one batch, and nothing is set aside."""
    push(client, brisk, *(f"A{number}" for number in range(30)))
    query("SELECT 1; ALTER TABLE endings RENAME TO endings_away")
    for _ in range(POISONED_AT + 1):
        with pytest.raises(psycopg.errors.UndefinedTable):
            drain(brisk, NAME, 0.2)
    assert counts(client) == {0}
    query("SELECT 1; ALTER TABLE endings_away RENAME TO endings")
    assert drain(brisk, NAME, 0.2).endings == {"stored": 30}
    assert query("SELECT count(*) AS n FROM totals") == [{"n": 1}]


def test_alert_with_which_the_server_went_down_twice_is_set_aside(
    client: redis.Redis, brisk: Workshop, query: Query
) -> None:
    """Where no server can be asked, a second failure of one alone is a sign; the first may be that of any restart."""
    with connect_database(brisk.database_url, "drain") as database:
        life, name = open_journal(client, database, STREAM), database.info.dbname
    push(client, brisk, "A1")
    states = []
    with psycopg.connect(brisk.database_url, autocommit=True, dbname="postgres") as other:
        other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        for _ in range(2):
            consumer = Consumer(client, STREAM, life.incarnation, NAME, brisk.configuration.drain)
            way = Way(brisk, load_rules(brisk.configuration), consumer, database, Drained())
            with pytest.raises(psycopg.OperationalError, match="gone"):
                give_back(way, consumer.take(1.0), psycopg.OperationalError("gone"))
            (found,) = pending(client)
            states.append((found["consumer"].decode(), found["times_delivered"]))
        other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
    assert states == [(NAME, 1), (ASIDE, 1)]


@pytest.mark.parametrize("alerts", [1, 30])
def test_no_alert_is_rejected_while_the_tables_refuse_all(
    client: redis.Redis, brisk: Workshop, query: Query, alerts: int
) -> None:
    """A column that this version does not know refuses every row: the schema is to blame, and all wait for another."""
    query("SELECT 1; ALTER TABLE alerts ADD COLUMN newer text NOT NULL")
    push(client, brisk, *(f"A{number}" for number in range(alerts)))
    for _ in range(POISONED_AT + 1):
        with pytest.raises(psycopg.errors.NotNullViolation):
            drain(brisk, NAME, 0.2)
    assert query("SELECT count(*) AS n FROM rejections") == [{"n": 0}]
    assert counts(client) == {0}
    query("SELECT 1; ALTER TABLE alerts DROP COLUMN newer")
    assert drain(brisk, NAME, 0.2).endings == {"stored": alerts}


def test_batch_of_nothing_but_refused_alerts_holds_up_none_behind(
    client: redis.Redis, brisk: Workshop, query: Query
) -> None:
    """Where the tables take a good alert the refused ones are to blame, however many there are."""
    query("SELECT 1; ALTER TABLE alerts ADD CONSTRAINT refuse CHECK (provider_alert_id !~ '^BAD')")
    push(client, brisk, *(f"BAD{number}" for number in range(20)))
    drain_until(brisk, lambda: query("SELECT count(*) AS n FROM rejections") == [{"n": 20}])
    push(client, brisk, "A1")
    drain_until(brisk, partial(is_stored, query, 1))
    assert client.xlen(STREAM) == 0


def test_constraint_that_only_real_alerts_fit_blames_the_others(
    client: redis.Redis, brisk: Workshop, query: Query
) -> None:
    """Where an alert made up for the trial is refused, one like the latest that was stored shows who is to blame."""
    push(client, brisk, {"alertId": "A1", "issuer": "BANK"})
    drain_until(brisk, partial(is_stored, query, 1))
    query("SELECT 1; ALTER TABLE alerts ALTER issuer SET NOT NULL")
    push(client, brisk, "A2", {"alertId": "A3", "issuer": "BANK"})
    drain_until(brisk, partial(is_stored, query, 2))
    assert query("SELECT reason FROM rejections") == [{"reason": "unstorable"}]
