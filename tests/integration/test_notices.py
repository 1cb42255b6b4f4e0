"""What the intake itself has to say: each thing once, to who asked for it, however many workers look."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
import pytest
import redis
from uuid_utils.compat import uuid7

from console.downstream.turns import remove_subscription, set_state
from console.feed.events import read_events, read_horizon
from schemas.alert.alert import Alert
from schemas.journal.append import append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from schemas.settings.notices import Notices
from tests.integration.conftest import Query
from tests.integration.downstream import QUICK, Receiver, announce, deliver, subscribe, tuned
from workers.database.connections import connect_database
from workers.database.rows import insert_rows
from workers.deadline import Deadline
from workers.intake.claims import ALERT_COLUMNS
from workers.intake.drain import drain
from workers.notices.accounts import audit_accounts
from workers.notices.books import audit_books
from workers.notices.expiring import SELECT_EXPIRING
from workers.notices.tell import tell_all
from workers.settings import Workshop

STREAM = "alert-intake:journal"
FRAGILE = msgspec.structs.replace(QUICK, trip_failures=2, trip_seconds=0, probe_interval=3600, schedule=(0.05,) * 20)


def store(workshop: Workshop, hours: float, status: str = "open", **facts: str) -> str:
    """Store an alert that is to be answered in so many hours; return its id."""
    moment = datetime.now(UTC)
    respond_by = (moment + timedelta(hours=hours)).isoformat()
    alert = Alert(
        str(uuid7()), "ethoca", uuid7().hex, "ethoca", "confirmed_fraud", status, moment.isoformat(),
        respond_by=respond_by, facts=facts,
    )  # fmt: skip
    with connect_database(workshop.database_url, "test") as database:
        insert_rows(database, "alerts", ALERT_COLUMNS, [alert.to_row()])
    return alert.id


def tell(workshop: Workshop) -> tuple[int, int]:
    """Do what a tick does."""
    with connect_database(workshop.database_url, "test") as database:
        return tell_all(database, Notices(), Deadline(20))


def bodies(receiver: Receiver) -> list[dict[str, Any]]:
    """Return what was received, in order."""
    return [json.loads(body) for _headers, body in receiver.received]


@pytest.fixture
def client(workshop: Workshop) -> Iterator[redis.Redis]:
    """Return a client of the journal."""
    with connect_journal(workshop.journal_url, 5.0) as client:
        yield client


def push(client: redis.Redis, workshop: Workshop, alerts: int) -> None:
    """Append so many alerts as the door does."""
    for _ in range(alerts):
        body = json.dumps({"alertId": uuid7().hex, "alertType": "CONFIRMEDFRAUD"}).encode()
        append_entry(client, workshop.configuration.journal, seal_envelope(Envelope("ethoca", body), workshop.keyring))


def test_open_alert_near_its_deadline_is_told_of_once(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """With four hours left or less, while nobody has resolved it and there is time; as an event of the alert."""
    subscribe(quick, receiver.url, events=("intake.*",), leave_out=["amount"])
    near = store(quick, 3.9, amount="12.5", currency="EUR")
    started = store(quick, 1, status="processing")
    for hours, status in ((4.2, "open"), (-0.1, "open"), (1, "resolved"), (1, "refunded")):
        store(quick, hours, status)
    assert tell(quick) == (2, 0)
    assert tell(quick) == (0, 0)
    assert deliver(quick, 2) == {"done": 2}
    assert sorted(receiver.alerts()) == sorted([near, started])
    (body,) = [body for body in bodies(receiver) if body["payload"]["id"] == near]
    assert (body["event"], body["payload"]["status"], body["payload"]["amount"]) == (
        "intake.alert.expiring",
        "OPEN",
        None,
    )
    assert 3 <= body["payload"]["hoursLeft"] <= 4
    assert query("SELECT count(*) AS n FROM events") == [{"n": 2}]


def test_notices_keep_to_filters_and_to_who_asked(quick: Workshop, receiver: Receiver) -> None:
    """An alert's notice is due to whom that alert interests; who asked for everything about alerts gets none."""
    subscribe(quick, f"{receiver.url}/other", events=("intake.*",), filters='{"merchants": ["M2"]}')
    subscribe(quick, f"{receiver.url}/all", events=("*", "alert.*"))
    subscribe(quick, f"{receiver.url}/own", events=("intake.alert.expiring",), filters='{"merchants": ["M1"]}')
    wanted = store(quick, 1, merchant_id="M1")
    tell(quick)
    assert deliver(quick, 1) == {"done": 1}
    assert receiver.alerts() == [wanted]


def test_notice_comes_before_what_follows_it(quick: Workshop, receiver: Receiver) -> None:
    """It is one of the alert's events, so that nobody is told after the resolution that time is running out."""
    subscribe(quick, receiver.url, events=("alert.*", "intake.*"))
    receiver.statuses = [500, 204]
    alert_id = store(quick, 1)
    tell(quick)
    announce(quick, "alert.resolved", alert_id=alert_id)
    assert deliver(quick, 3) == {"again": 1, "done": 2}
    assert receiver.events() == ["intake.alert.expiring", "intake.alert.expiring", "alert.resolved"]


def test_many_workers_tell_of_each_alert_once(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """Five at the same time, over several batches: one event for each alert, and one delivery."""
    subscribe(quick, receiver.url, events=("intake.*",))
    query(MAKE_ALERTS, 1, 700)
    with ThreadPoolExecutor(5) as threads:
        rounds = list(threads.map(lambda _: tell(quick), range(5)))
    assert sum(expiring for expiring, _turns in rounds) == 700
    assert query("SELECT count(*) AS n, count(DISTINCT alert_id) AS alerts FROM events") == [{"n": 700, "alerts": 700}]
    assert query("SELECT count(*) AS n FROM outbox") == [{"n": 700}]


def test_looking_for_what_nears_its_deadline_costs_nothing(quick: Workshop, query: Query) -> None:
    """Beside many alerts of every age the plan reads the few that are due to be told of, by their index."""
    query(MAKE_ALERTS, 48, 20_000)
    query("UPDATE alerts SET respond_by = now() - interval '30 days' WHERE position %% 2 = 0 RETURNING 1")
    store(quick, 1)
    with connect_database(quick.database_url, "test") as database:
        database.execute("VACUUM ANALYZE alerts")
        values = {"before": 14400.0, "limit": 200}
        rows = database.execute(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + SELECT_EXPIRING.as_string(database), values
        )
        (plan,) = rows.fetchall()[0]["QUERY PLAN"]
    assert "alerts_expiring" in str(plan)
    assert "Seq Scan" not in str(plan)
    assert plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"] < 50


def test_pausing_and_resuming_is_told_to_the_others(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """By failures, by hand and back: in order, with the reason, and never to the subscription that it is about."""
    broken = subscribe(quick, f"{receiver.url}/broken", events=("*", "intake.*"))
    subscribe(quick, f"{receiver.url}/watching", events=("intake.subscription.*",), concurrency=1)
    query("UPDATE subscriptions SET name = 'broken' WHERE id = %s RETURNING 1", broken)
    announce(quick, "alert.created")
    receiver.statuses = [500]
    deliver(tuned(quick, FRAGILE), 2)
    receiver.statuses = [204]
    receiver.received.clear()
    with connect_database(quick.database_url, "test") as database:
        for state in ("active", "paused", "active", "active"):
            with database.transaction():
                set_state(database, "broken", state, "test")
    tell(quick)
    assert tell(quick) == (0, 0)
    deliver(quick, 5)
    told = [body for body in bodies(receiver) if body["event"].startswith("intake.")]
    assert [(body["event"].rpartition(".")[2], body["payload"]["state"]) for body in told] == [
        ("paused", "tripped"), ("resumed", "active"), ("paused", "paused"), ("resumed", "active"),
    ]  # fmt: skip
    assert {(body["payload"]["id"], body["payload"]["name"]) for body in told} == {(broken, "broken")}
    assert [body["payload"]["why"] for body in told[1:]] == ["by hand"] * 3
    assert "status 500" in told[0]["payload"]["why"]
    own = query("SELECT v.type FROM outbox o JOIN events v ON v.id = o.event_id WHERE o.subscription_id = %s", broken)
    assert own == [{"type": "alert.created"}]


def test_failing_watcher_is_told_nothing_of_itself(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """A subscription that fails over a notice is paused for it, and nothing new is due to it because of that."""
    subscribe(quick, receiver.url, events=("intake.*",))
    store(quick, 1)
    receiver.statuses = [500]
    for _ in range(3):
        tell(quick)
        deliver(tuned(quick, FRAGILE), 2, seconds=2)
    assert query("SELECT state FROM subscriptions") == [{"state": "tripped"}]
    assert query("SELECT v.type FROM outbox o JOIN events v ON v.id = o.event_id") == [
        {"type": "intake.alert.expiring"}
    ]
    assert query("SELECT type FROM events ORDER BY position OFFSET 1") == [{"type": "intake.subscription.paused"}]


def test_subscription_that_is_gone_is_not_told_of(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """What happened to it last is of no use to anybody."""
    own_id = subscribe(quick, receiver.url)
    with connect_database(quick.database_url, "test") as database:
        with database.transaction():
            set_state(database, own_id, "paused", "test")
        remove_subscription(database, own_id, "test")
    assert tell(quick) == (0, 1)
    assert query("SELECT 1 FROM events") == []


def test_stream_of_events_has_notices_too(quick: Workshop, receiver: Receiver) -> None:
    """What is told of a subscription has a payload there, what is told of an alert the alert; each in its place."""
    own_id = subscribe(quick, receiver.url)
    alert_id = store(quick, 1)
    with connect_database(quick.database_url, "test") as database:
        with database.transaction():
            set_state(database, own_id, "paused", "test")
        tell(quick)
        place, _last = read_horizon(database)
        paused, expiring = read_events(database, 0, place, 10)
    document = json.loads(paused.frame.partition(b"data: ")[2])
    assert (paused.type, document["payload"]["id"]) == ("intake.subscription.paused", own_id)
    assert "alert" not in document
    assert json.loads(expiring.frame.partition(b"data: ")[2])["alert"]["id"] == alert_id


def test_unbalanced_books_are_told_of_once(
    quick: Workshop, client: redis.Redis, receiver: Receiver, query: Query
) -> None:
    """An entry that is lost is told of; again only when another is, or when the books had been put right."""
    subscribe(quick, receiver.url, events=("intake.books.*",), concurrency=1)
    push(client, quick, 3)
    drain(quick, "drain@test/0", 0.3)

    def audit() -> int:
        with connect_database(quick.database_url, "test") as database:
            return audit_books(client, database, STREAM, pause=0)

    def lose() -> None:
        push(client, quick, 1)
        ((entry_id, _fields),) = cast("list[tuple[bytes, Any]]", client.xrange(STREAM))
        client.xdel(STREAM, entry_id)

    assert audit() == 0
    lose()
    assert [audit(), audit()] == [1, 0]
    lose()
    assert [audit(), audit()] == [1, 0]
    query("UPDATE journals SET base = base + 2 RETURNING 1")
    assert audit() == 0
    query("UPDATE journals SET base = base - 2 RETURNING 1")
    assert [audit(), audit()] == [1, 0]
    assert deliver(quick, 3) == {"done": 3}
    assert [body["payload"]["missing"] for body in bodies(receiver)] == [1, 2, 2]
    (incarnation,) = query("SELECT incarnation::text AS id FROM journals")
    assert {body["payload"]["incarnation"] for body in bodies(receiver)} == {incarnation["id"]}


def test_audit_while_drains_run_finds_nothing(quick: Workshop, client: redis.Redis) -> None:
    """Reading the books again and again while entries come and are settled never shows an imbalance."""
    push(client, quick, 1)
    drain(quick, "drain@test/0", 0.2)
    over = threading.Event()

    def keep_pushing() -> None:
        while not over.is_set():
            push(client, quick, 5)

    threads = [threading.Thread(target=keep_pushing)]
    threads += [threading.Thread(target=drain, args=(quick, f"drain@test/{n}", 4.0)) for n in range(2)]
    for thread in threads:
        thread.start()
    readings = []
    try:
        with connect_database(quick.database_url, "test") as database:
            until = Deadline(3.5)
            while until.left() > 0:
                readings.append(audit_accounts(client, database, STREAM))
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert len(readings) > 10
    assert all(reading == [] for reading in readings)


def test_every_tick_has_its_task(environment: dict[str, str]) -> None:
    """What the metronome sends is what workers know, each with a bound on how many may wait."""
    program = (
        "from workers.tasks import app; from workers.pool.metronome import MOST_WAITING, SCHEDULE\n"
        "sent = {entry['task'] for entry in SCHEDULE.values()}\n"
        "assert sent == set(MOST_WAITING) == {name for name in app.tasks if name.startswith('workers.')}, sent"
    )
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)


MAKE_ALERTS = """
    INSERT INTO alerts (id, network, provider_alert_id, source, kind, status, revision, duplicates, repaired,
                        received_at, respond_by, enrichment, details, problems, seen, standing)
    SELECT gen_random_uuid(), 'ethoca', n::text, 'ethoca', 'other', 'open', 1, 0, false, now(),
           now() + make_interval(hours => %s::integer), '{}', '{}', '[]', '{}', '{}' FROM generate_series(1, %s) n
    RETURNING 1
"""
