"""From the journal to the database, on a real Valkey and a real PostgreSQL."""

import json
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast
from uuid import uuid4

import psycopg
import pytest
import redis
from celery import Celery

from schemas.downstream.subscription import rejection_binding
from schemas.journal.append import GROUP, append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from schemas.keyring import Keyring
from tests.integration.conftest import Query
from workers.intake.drain import drain
from workers.intake.incarnation import incarnation_key
from workers.intake.validate import POISONED_AT
from workers.settings import Workshop
from workers.tick import Tick

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


def test_only_the_refused_alert_of_a_list_is_rejected(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """Of alerts that were promised with one answer PostgreSQL refuses two: the others are stored, told and counted."""
    with psycopg.connect(workshop.database_url, autocommit=True) as database:
        database.execute("ALTER TABLE alerts ADD CONSTRAINT refuse CHECK (provider_alert_id NOT IN ('A1', 'A5'))")
    push(client, workshop, {"alerts": [*({"alertId": f"A{number}"} for number in range(7)), {"nothing": 1}]}, ALERT)
    assert drain_all(client, workshop) == {"stored": 5, "rejected": 4}
    endings = query("SELECT ending FROM endings ORDER BY entered_at, sequence, item")
    assert [row["ending"] for row in endings] == ["stored", "rejected", *["stored"] * 3, "rejected", "stored",
                                                  "rejected", "rejected"]  # fmt: skip
    assert query("SELECT count(*) AS n FROM events WHERE type = 'alert.created'") == [{"n": 5}]
    refused = query("SELECT id, sealed FROM rejections WHERE reason = 'unstorable'")
    bodies = [workshop.keyring.unseal(row["sealed"], rejection_binding(str(row["id"]))) for row in refused]
    assert sorted(json.loads(body)["alertId"] for body in bodies) == ["A1", "A1", "A5"]


def test_only_what_a_trigger_refuses_by_a_code_of_its_own_is_rejected(
    client: redis.Redis, workshop: Workshop, query: Query
) -> None:
    """A trigger says no with a code that PostgreSQL does not know: only the culprit is rejected."""
    refuse_by_trigger(workshop, "ZX001")
    push(client, workshop, *({"alertId": f"A{number}"} for number in range(30)))
    assert drain_all(client, workshop) == {"stored": 29, "rejected": 1}
    (rejection,) = query("SELECT * FROM rejections")
    assert (rejection["reason"], rejection["why"][-5:]) == ("unstorable", "ZX001")


@pytest.mark.parametrize("code", ["53100", "23514"])
def test_what_a_failing_drain_raises_quotes_no_row(
    client: redis.Redis, workshop: Workshop, query: Query, code: str
) -> None:
    """PostgreSQL quotes rows of a COPY, and of constraints, in what it says: of that nothing reaches the log."""
    refuse_by_trigger(workshop, code)
    with psycopg.connect(workshop.database_url, autocommit=True) as database:
        database.execute("ALTER TABLE rejections ADD CONSTRAINT none_at_all CHECK (false)")
    push(client, workshop, {"alertId": "A13", "merchantName": "QUOTED LTD"})
    with Celery(task_cls=Tick, set_as_current=False) as app:

        @app.task
        def tick() -> None:
            drain(workshop, "drain@test/0", 0.5)

        with pytest.raises(psycopg.Error) as raised:
            tick()
    shown = "".join(traceback.format_exception(raised.value))
    assert code in shown
    assert not {"QUOTED", "A13", "Failing row", "COPY"} & set(re.findall(r"Failing row|QUOTED|A13|COPY", shown))
    assert client.xlen(STREAM) == 1


def test_every_task_of_ours_is_such_a_tick() -> None:
    """So it holds for whatever the workers run, not for the drain alone."""
    program = (
        "from workers.tasks import app; from workers.tick import Tick;"
        "print({isinstance(task, Tick) for name, task in app.tasks.items() if name.startswith('workers.')})"
    )
    environment = {"PATH": os.environ["PATH"], "BROKER_URL": "redis://127.0.0.1:1/0"}
    told = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "{True}"


def refuse_by_trigger(workshop: Workshop, code: str) -> None:
    """Have PostgreSQL answer the alert A13 with an error of this code."""
    with psycopg.connect(workshop.database_url, autocommit=True) as database:
        database.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE 'no' USING ERRCODE = '{code}'; END $$".encode()
        )
        database.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON alerts FOR EACH ROW"
            " WHEN (NEW.provider_alert_id = 'A13') EXECUTE FUNCTION refuse()"
        )


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
    assert drain(workshop, "drain@test/0", 1.0).endings == {"stored": 1}
    assert client.xlen(STREAM) == 1


def test_entries_wait_unblamed_for_their_key(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """However often a drain meets entries whose key it lacks, they are stored once it has the key."""
    newer = Keyring([b"n" * 32], b"m" * 32)
    push(client, replace(workshop, keyring=newer), *({"alertId": f"A{number}"} for number in range(3)))
    for turn in range(POISONED_AT + 1):
        push(client, workshop, {"alertId": f"B{turn}"})
        assert drain(workshop, "drain@test/0", 1.0).endings == {"stored": 1}
    assert {found["times_delivered"] for found in client.xpending_range(STREAM, GROUP, "-", "+", 10)} == {0}
    assert drain_all(client, replace(workshop, keyring=newer)) == {"stored": 3}


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
