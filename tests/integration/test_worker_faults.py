"""What a worker does when a server is full, silent or gone: each was a fault of the fault suite once."""

import json
import socket
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
import redis

from schemas.formats.alert_schema import schema_of
from schemas.formats.fields import INDEXED_LIMIT, TEXT_LIMIT, Text
from schemas.journal.append import append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from tests.integration.conftest import Query
from workers.database import connections
from workers.database.connections import connect_database
from workers.intake.drain import drain
from workers.pool.broker import RETRY_SECONDS, EagerConnection
from workers.settings import Workshop

STREAM = "alert-intake:journal"
# A thousand characters without a pattern, of four bytes each: too large for an index, however compressed.
UNINDEXABLE = "".join(chr(0x10000 + number * 7919 % 0xFFFF0) for number in range(1000))


@pytest.fixture
def client(workshop: Workshop) -> Iterator[redis.Redis]:
    """Return a client of the journal, which has its memory back in the end."""
    with connect_journal(workshop.journal_url, 5.0) as client:
        enough = client.config_get("maxmemory")["maxmemory"]
        yield client
        client.config_set("maxmemory", enough)


def camel(name: str) -> str:
    """Return the name of a field as Ethoca writes it."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def push(client: redis.Redis, workshop: Workshop, *alerts: dict[str, str]) -> None:
    """Append alerts as the door does."""
    for alert in alerts:
        envelope = Envelope("ethoca", json.dumps(alert).encode(), uuid4().hex)
        append_entry(client, workshop.configuration.journal, seal_envelope(envelope, workshop.keyring))


def test_full_journal_is_drained(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """A drain that begins when Redis has no memory left takes what is in the journal: so room is made."""
    drain(workshop, "drain@test/0", 0.1)
    push(client, workshop, {"alertId": "F1"}, {"alertId": "F2"})
    client.config_set("maxmemory", 1)
    with pytest.raises(redis.OutOfMemoryError):
        client.xadd(STREAM, {"b": "x"})
    drain(workshop, "drain@test/0", 1.0)
    assert client.xlen(STREAM) == 0
    assert query("SELECT count(*) AS found FROM alerts") == [{"found": 2}]


def test_row_too_large_for_an_index_is_rejected_alone(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """PostgreSQL calls that an operational error; it is the row's all the same, and the others are stored."""
    with psycopg.connect(workshop.database_url, autocommit=True) as database:
        database.execute("CREATE INDEX ON alerts (issuer)")
    alerts = [{"alertId": f"L{number}"} for number in range(20)]
    alerts[7]["issuer"] = UNINDEXABLE
    push(client, workshop, *alerts)
    drain(workshop, "drain@test/0", 2.0)
    assert query("SELECT reason, why FROM rejections") == [
        {"reason": "unstorable", "why": "PostgreSQL refused it: ProgramLimitExceeded 54000"}
    ]
    assert query("SELECT count(*) AS found FROM alerts") == [{"found": 19}]


def test_no_fact_is_too_long_for_an_index(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """An alert whose texts are all as long as can be, and cannot be compressed, is stored: each is cut to its limit."""
    texts = [name for name, field in schema_of("UTC").load_fields.items() if isinstance(field, Text)]
    push(client, workshop, {"alertId": "I1"} | dict.fromkeys(map(camel, texts), UNINDEXABLE))
    drain(workshop, "drain@test/0", 1.0)
    assert query("SELECT reason FROM rejections") == []
    (alert,) = query("SELECT * FROM alerts")
    facts = alert | alert["details"]
    assert len(facts["arn"]) == len(facts["merchant_order_id"]) == INDEXED_LIMIT
    assert len(facts["issuer"]) == TEXT_LIMIT


def test_indexed_facts_have_the_limit_of_an_index(query: Query) -> None:
    """Whatever text column of `alerts` has an index, its field is cut to what an index row can hold."""
    fields = schema_of("UTC").load_fields
    indexed = query(
        """SELECT DISTINCT attname::text AS column
           FROM pg_index JOIN pg_attribute ON attrelid = indexrelid AND atttypid = 'text'::regtype
           WHERE indrelid = 'alerts'::regclass"""
    )
    limits = {row["column"]: field.limit for row in indexed if isinstance(field := fields.get(row["column"]), Text)}
    assert limits.keys() >= {"arn", "merchant_id", "merchant_order_id", "transaction_id"}
    assert set(limits.values()) == {INDEXED_LIMIT}


def test_silent_database_is_given_up(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection on which no answer comes is closed with an error, instead of being waited on for ever."""
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.5)
    with connect_database(workshop.database_url, "test") as database:
        with pytest.raises(psycopg.OperationalError):
            database.execute("SELECT pg_sleep(30)")
        assert database.closed


def test_absent_broker_is_asked_for_every_second() -> None:
    """However long the broker is gone, the pause between two attempts does not grow."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        pauses: list[float] = []

        def note(error: Exception, pause: float) -> None:
            pauses.append(pause)
            if len(pauses) == 3:
                raise KeyboardInterrupt from error

        url = f"redis://127.0.0.1:{reserved.getsockname()[1]}/0"
        with EagerConnection(url) as connection, pytest.raises(KeyboardInterrupt):
            connection.ensure_connection(note)
    assert pauses == [RETRY_SECONDS] * 3
