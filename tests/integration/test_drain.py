"""From the journal to the database, on a real Valkey and a real PostgreSQL."""

import json
from collections.abc import Iterator
from typing import Any, cast
from uuid import uuid4

import psycopg
import pytest
import redis

from schemas.envelope import Envelope, seal_envelope
from schemas.journal import GROUP, append_entry, connect_journal
from schemas.keyring import Keyring
from schemas.subscription import rejection_binding
from tests.integration.conftest import Query
from workers.intake.incarnation import incarnation_key
from workers.intake.pipeline import drain
from workers.intake.validate import POISONED_AT
from workers.settings import Workshop

STREAM = "alert-intake:journal"
ALERT = {"alertId": "A1", "alertType": "CONFIRMEDFRAUD", "amount": {"value": 125.40, "currencyCode": "USD"}}


@pytest.fixture
def client(workshop: Workshop) -> Iterator[redis.Redis]:
    """Return a client of the journal."""
    with connect_journal(workshop.journal_url, 5.0) as client:
        yield client


def push(client: redis.Redis, workshop: Workshop, *bodies: object, source: str = "ethoca") -> list[str]:
    """Append bodies as the door does; return their request ids."""
    envelopes = [
        Envelope(source, body if isinstance(body, bytes) else json.dumps(body).encode(), uuid4().hex) for body in bodies
    ]
    for envelope in envelopes:
        append_entry(client, workshop.configuration.journal, seal_envelope(envelope, workshop.keyring))
    return [envelope.request_id for envelope in envelopes]


def drain_all(client: redis.Redis, workshop: Workshop, name: str = "drain@test/0") -> dict[str, int]:
    """Drain until the journal is empty; return the endings."""
    endings: dict[str, int] = {}
    for _attempt in range(20):
        for ending, count in drain(workshop, name, 0.2).endings.items():
            endings[ending] = endings.get(ending, 0) + count
        if not client.xlen(STREAM):
            return endings
    pytest.fail("the journal was not drained")


def test_alert_is_stored_and_its_entry_settled(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """A pushed alert becomes a row with a receipt, an ending and its raw body, and leaves the journal."""
    (request_id,) = push(client, workshop, ALERT)
    assert drain_all(client, workshop) == {"stored": 1}
    (alert,) = query("SELECT * FROM alerts")
    assert (alert["network"], alert["provider_alert_id"], str(alert["amount"])) == ("ethoca", "A1", "125.4")
    (receipt,) = query("SELECT * FROM receipts JOIN endings USING (entered_at, sequence, incarnation)")
    assert (receipt["request_id"].hex, receipt["alert_id"], receipt["ending"]) == (request_id, alert["id"], "stored")
    (raw,) = query("SELECT * FROM raw_bodies")
    opened = workshop.keyring.unseal(raw["sealed"], f"ethoca {request_id}".encode())
    assert json.loads(opened) == ALERT
    assert query("SELECT sum(entries) AS n FROM totals")[0]["n"] == 1
    assert client.xpending(STREAM, GROUP)["pending"] == 0


def test_committed_entry_that_was_not_settled_has_no_second_effect(
    client: redis.Redis, workshop: Workshop, query: Query
) -> None:
    """A kill between commit and settle: the entry comes again, and its receipt keeps it from any effect."""
    push(client, workshop, ALERT)
    ((entry_id, fields),) = cast("Any", client.xrange(STREAM))
    drain_all(client, workshop)
    before = query("SELECT * FROM alerts, totals")
    client.delete(STREAM)
    client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    client.xadd(STREAM, fields, id=entry_id)
    client.execute_command("XSETID", STREAM, entry_id, "ENTRIESADDED", 1)  # type: ignore[no-untyped-call]  # redis-py's
    assert drain_all(client, workshop) == {}
    assert query("SELECT * FROM alerts, totals") == before
    assert query("SELECT count(*) AS n FROM receipts")[0]["n"] == 1


def test_leftovers_of_the_same_name_are_taken_at_once(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """Entries that a killed drain had in its hands are finished by the next of its name, without waiting."""
    drain(workshop, "drain@test/0", 0.1)
    push(client, workshop, ALERT, {"alertId": "A2"}, {"alertId": "A3"})
    client.xreadgroup(GROUP, "drain@test/0", {STREAM: ">"}, count=10)
    assert drain_all(client, workshop) == {"stored": 3}


def test_entry_that_kills_again_and_again_is_rejected_alone(
    client: redis.Redis, workshop: Workshop, query: Query
) -> None:
    """An entry that was taken five times and never finished is rejected; those beside it are stored."""
    drain(workshop, "drain@test/0", 0.1)
    push(client, workshop, {"alertId": "KILLER"}, {"alertId": "INNOCENT"})
    (killer, _), _ = cast("Any", client.xrange(STREAM))
    client.xreadgroup(GROUP, "drain@test/0", {STREAM: ">"}, count=10)
    client.xclaim(STREAM, GROUP, "drain@test/0", 0, [killer], retrycount=POISONED_AT - 1)
    assert drain_all(client, workshop) == {"rejected": 1, "stored": 1}
    (rejection,) = query("SELECT * FROM rejections")
    assert rejection["reason"] == "poisoned"
    body = workshop.keyring.unseal(rejection["sealed"], rejection_binding(str(rejection["id"])))
    assert json.loads(body) == {"alertId": "KILLER"}


def test_row_that_postgres_refuses_is_rejected_alone(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """In a batch with a row that PostgreSQL refuses only the culprit is rejected, its body kept."""
    with psycopg.connect(workshop.database_url, autocommit=True) as database:
        database.execute("ALTER TABLE alerts ADD CONSTRAINT refuse CHECK (provider_alert_id <> 'A137')")
    push(client, workshop, *({"alertId": f"A{number}"} for number in range(300)))
    assert drain_all(client, workshop) == {"stored": 299, "rejected": 1}
    (rejection,) = query("SELECT * FROM rejections")
    assert (rejection["reason"], rejection["why"]) == ("unstorable", "PostgreSQL refused it: CheckViolation 23514")


def test_dead_postgres_leaves_the_entries_unblamed(
    client: redis.Redis, workshop: Workshop, query: Query, database_url: str
) -> None:
    """When the database fails in the middle of a batch, entries stay in the journal and their count is put back."""
    with psycopg.connect(database_url, autocommit=True) as database:
        database.execute("ALTER TABLE endings RENAME TO endings_away")
        push(client, workshop, ALERT)
        with pytest.raises(psycopg.errors.UndefinedTable):
            drain(workshop, "drain@test/0", 1.0)
        (pending,) = client.xpending_range(STREAM, GROUP, "-", "+", 10)
        assert pending["times_delivered"] == 0
        assert query("SELECT count(*) AS n FROM receipts")[0]["n"] == 0
        database.execute("ALTER TABLE endings_away RENAME TO endings")
    assert drain_all(client, workshop) == {"stored": 1}


def test_unknown_key_leaves_the_entry_and_lets_others_pass(
    client: redis.Redis, workshop: Workshop, query: Query
) -> None:
    """An entry sealed with a key that is not configured stays in the journal; the others are stored."""
    stranger = Keyring([b"x" * 32], b"y" * 32)
    append_entry(client, workshop.configuration.journal, seal_envelope(Envelope("ethoca", b"{}"), stranger))
    push(client, workshop, ALERT)
    assert drain(workshop, "drain@test/0", 0.5).endings == {"stored": 1}
    assert client.xlen(STREAM) == 1


def test_emptied_journal_begins_a_new_incarnation(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """After the whole Redis was emptied, group and incarnation are made anew and work goes on."""
    push(client, workshop, ALERT)
    drain_all(client, workshop)
    before = client.get(incarnation_key(STREAM))
    client.flushall()
    push(client, workshop, {"alertId": "A2"})
    assert drain_all(client, workshop) == {"stored": 1}
    assert client.get(incarnation_key(STREAM)) != before
    assert query("SELECT count(*) AS n FROM journals")[0]["n"] == 2


def test_stream_that_lost_entries_keeps_its_incarnation(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """A stream that counts fewer entries than were seen is the same journal, and what it forgot stays in the books."""
    push(client, workshop, ALERT, {"alertId": "A2"})
    drain_all(client, workshop)
    drain(workshop, "drain@test/0", 0.1)
    before = client.get(incarnation_key(STREAM))
    client.delete(STREAM)
    push(client, workshop, {"alertId": "A3"})
    assert drain_all(client, workshop) == {"stored": 1}
    assert client.get(incarnation_key(STREAM)) == before
    assert query("SELECT added - base AS ever_added FROM journals") == [{"ever_added": 3}]


def test_destroyed_group_is_made_again(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """A destroyed consumer group is made again from the beginning, and nothing is counted twice."""
    push(client, workshop, ALERT)
    drain_all(client, workshop)
    client.xgroup_destroy(STREAM, GROUP)
    push(client, workshop, ALERT, {"alertId": "A2"})
    assert drain_all(client, workshop) == {"duplicate": 1, "stored": 1}


def test_items_of_a_list_end_each_for_itself(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """One entry, one receipt, and an ending for each item of its list."""
    push(client, workshop, {"alerts": [ALERT, {"alertId": "A2"}, {"nothing": 1}, ALERT]})
    assert drain_all(client, workshop) == {"stored": 2, "rejected": 1, "duplicate": 1}
    endings = query("SELECT item, ending FROM endings ORDER BY item")
    assert [row["ending"] for row in endings] == ["stored", "stored", "rejected", "duplicate"]
    assert query("SELECT count(*) AS n FROM receipts")[0]["n"] == 1


def test_both_doors_make_one_alert(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """The same alert through Ethoca's door and the reseller's is one row."""
    push(client, workshop, ALERT)
    payload = {"provider": "ETHOCA", "providerId": "A1", "status": "OPEN", "merchantId": "M1", "amount": "125.40"}
    body = {"event": "alert.created", "timestamp": "2026-11-20T10:00:00Z", "payload": payload}
    push(client, workshop, body, source="reseller")
    assert drain_all(client, workshop) == {"stored": 1, "updated": 1}
    (alert,) = query("SELECT * FROM alerts")
    assert (alert["source"], alert["merchant_id"], alert["revision"]) == ("ethoca", "M1", 2)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b"\xff", b'{"alertId": ""}', b"{" * 10_000])
def test_what_is_no_alert_is_kept_as_a_rejection(
    client: redis.Redis, workshop: Workshop, query: Query, body: bytes
) -> None:
    """A body without an alert ends as a rejection whose sealed body is the body."""
    push(client, workshop, body)
    assert drain_all(client, workshop) == {"rejected": 1}
    (rejection,) = query("SELECT * FROM rejections")
    assert workshop.keyring.unseal(rejection["sealed"], rejection_binding(str(rejection["id"]))) == body
