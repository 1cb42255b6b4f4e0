"""What waits for an earlier event of its alert stands behind it: in nobody's way, and never left there."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from uuid import uuid4

import msgspec
import pytest

from console.downstream.retries import retry_delivery
from console.downstream.turns import set_state
from console.metrics.database import measure_database
from tests.integration.conftest import Query
from tests.integration.downstream import (
    QUICK,
    Receiver,
    announce,
    announce_together,
    deliver,
    end_leases,
    forward,
    make_alert,
    subscribe,
    tuned,
)
from workers.database.connections import Database, connect_database
from workers.delivery.lease import Item, lease_due
from workers.delivery.policy import Answer, Outcome
from workers.delivery.record import Attempt, record_attempts
from workers.intake.outcomes import Event
from workers.settings import Workshop

BLOCKED = 2000
POSTPONE = "UPDATE outbox SET attempts = 1, due_at = now() + interval '1 hour' WHERE lease IS NULL RETURNING 1"
WAITING = "SELECT count(*) AS n FROM outbox WHERE state = 'due' AND lease IS NULL AND due_at <= now()"
FIRST_IS_DUE = "UPDATE outbox SET due_at = now() WHERE attempts > 0 RETURNING 1"


@pytest.fixture
def database(quick: Workshop) -> Iterator[Database]:
    """Return a forwarder's connection."""
    with connect_database(quick.database_url, "test") as connection:
        yield connection


def announce_behind(workshop: Workshop, query: Query, alerts: int = 1) -> list[str]:
    """Announce alerts whose first event is postponed for an hour, and a second event of each; return their ids."""
    announced = [make_alert(str(uuid4())) for _ in range(alerts)]
    announce_together(workshop, [Event("alert.created", alert) for alert in announced])
    query(POSTPONE)
    announce_together(workshop, [Event("alert.resolved", alert) for alert in announced])
    return [alert.id for alert in announced]


def lease_and_put_back(database: Database) -> list[Item]:
    """Lease, and make what was leased due again."""
    items = lease_due(database, 8, QUICK)
    database.execute("UPDATE outbox SET due_at = created_at, lease = NULL WHERE lease IS NOT NULL")
    return items


def count_read(database: Database) -> int:
    """Return the pages that a lease reads."""
    row = database.execute(
        "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM lease_due(8, gen_random_uuid(), 60, 10, 16, 60)"
    ).fetchone()
    assert row is not None
    plan = row["QUERY PLAN"][0]["Plan"]
    assert plan["Actual Rows"] == 1
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def record(database: Database, items: Sequence[Item], status: int, outcome: Outcome, query: Query) -> None:
    """Record an attempt of each."""
    (now,) = query("SELECT now() AS at")
    record_attempts(database, [Attempt(item, Answer(status, 1.0), outcome, now["at"]) for item in items], QUICK, {})


def test_leases_do_not_read_what_waits_for_a_postponed_one_again(
    quick: Workshop, database: Database, query: Query
) -> None:
    """However many follow-ups wait for postponed events, one lease reads over them and the next reads other alerts."""
    subscribe(quick, "http://127.0.0.1:9/")
    announce_behind(quick, query, BLOCKED)
    other = announce(quick, "alert.created")
    assert [item.alert_id for item in lease_and_put_back(database)] == [other]
    assert query(WAITING) == [{"n": 1}]
    assert query("SELECT count(DISTINCT due_at) AS n FROM outbox WHERE alert_id <> %s", other) == [{"n": 1}]
    assert count_read(database) < BLOCKED


def test_an_alert_that_waits_for_its_first_event_is_not_overdue(
    quick: Workshop, database: Database, query: Query
) -> None:
    """A follow-up that can go only after a postponed event does not count as due and not tried."""
    subscribe(quick, "http://127.0.0.1:9/", name="orders")
    announce_behind(quick, query)
    query(
        "UPDATE outbox SET created_at = now() - interval '1 hour', due_at = due_at - interval '30 minutes' RETURNING 1"
    )

    def overdue() -> float:
        (metric,) = [m for m in measure_database(database) if m.name == "alert_intake_outbox_overdue_seconds"]
        return float(metric.samples[0].value)

    assert overdue() > 1000
    assert lease_due(database, 8, QUICK) == []
    assert overdue() == 0


def test_a_follow_up_goes_out_when_the_first_event_does(
    quick: Workshop, receiver: Receiver, database: Database, query: Query
) -> None:
    """Whoever hurries the first event and whenever it is delivered, the ones behind it follow at once, in order."""
    subscribe(quick, receiver.url)
    alert_id = announce_behind(quick, query)[0]
    announce(quick, "alert.updated", alert_id=alert_id)
    assert lease_due(database, 8, QUICK) == []
    (first,) = query("SELECT id::text FROM outbox WHERE attempts > 0")
    retry_delivery(database, first["id"], "test")
    assert deliver(quick, 3) == {"done": 3}
    assert receiver.events() == ["alert.created", "alert.resolved", "alert.updated"]


def test_a_follow_up_goes_out_when_the_first_event_is_given_up(
    quick: Workshop, receiver: Receiver, database: Database, query: Query
) -> None:
    """What is given up before its time is waited for no longer."""
    receiver.statuses = [422, 204]
    subscribe(quick, receiver.url)
    announce_behind(quick, query)
    assert lease_due(database, 8, QUICK) == []
    query(FIRST_IS_DUE)
    assert deliver(quick, 2) == {"final": 1, "done": 1}


def test_resuming_brings_follow_ups_forward(
    quick: Workshop, receiver: Receiver, database: Database, query: Query
) -> None:
    """Resumed by hand, a subscription gets its backlog in the order in which it came up, follow-ups as well."""
    own_id = subscribe(quick, receiver.url, concurrency=1)
    announced = announce_behind(quick, query, 3)
    assert lease_due(database, 8, QUICK) == []
    assert query(WAITING) == [{"n": 0}]
    with database.transaction():
        set_state(database, own_id, "active", "test")
    assert query(WAITING) == [{"n": 6}]
    assert deliver(quick, 6) == {"done": 6}
    assert receiver.alerts() == announced * 2


def test_a_probe_that_succeeds_brings_follow_ups_forward(
    quick: Workshop, receiver: Receiver, database: Database, query: Query
) -> None:
    """Resumed by a probe, no follow-up is left behind either."""
    subscribe(quick, receiver.url, concurrency=1)
    announce_behind(quick, query, 3)
    assert lease_due(database, 8, QUICK) == []
    query("UPDATE subscriptions SET state = 'tripped', failures = 20, probe_at = now() RETURNING 1")
    assert deliver(quick, 6) == {"done": 6}
    assert receiver.events() == ["alert.created"] * 3 + ["alert.resolved"] * 3


def test_what_is_held_for_an_enricher_is_not_brought_forward(
    quick: Workshop, receiver: Receiver, database: Database, query: Query
) -> None:
    """A follow-up that waits for an enricher goes on waiting for it when the first event is delivered."""
    own_id = subscribe(quick, receiver.url)
    announce_behind(quick, query)
    query("UPDATE outbox SET held = true, due_at = now() + interval '1 hour' WHERE attempts = 0 RETURNING 1")
    query(FIRST_IS_DUE)
    assert deliver(quick, 1) == {"done": 1}
    with database.transaction():
        set_state(database, own_id, "active", "test")
    assert query("SELECT held, due_at > now() AS later FROM outbox WHERE state = 'due'") == [
        {"held": True, "later": True}
    ]


def lease_too_slow_for(database: Database, query: Query) -> Item:
    """Return what a slow forwarder has in hand, while another one has tried it too, in vain: it is postponed."""
    (slow,) = lease_due(database, 8, QUICK)
    end_leases(database)
    record(database, lease_due(database, 8, QUICK), 500, Outcome("again", "due", 3600.0), query)
    return slow


def test_who_ends_an_item_waits_for_who_puts_another_behind_it(
    quick: Workshop, receiver: Receiver, database: Database, query: Query
) -> None:
    """A delivery recorded late, while a lease puts the next event behind it, makes that due all the same."""
    subscribe(quick, receiver.url)
    alert_id = announce(quick, "alert.created")
    slow = lease_too_slow_for(database, query)
    announce(quick, "alert.resolved", alert_id=alert_id)
    with connect_database(quick.database_url, "leasing") as leasing:
        recorder = threading.Thread(target=record, args=(database, [slow], 200, Outcome("done", "delivered"), query))
        with leasing.transaction():
            assert lease_due(leasing, 8, QUICK) == []
            recorder.start()
            wait_for_lock(leasing)
        recorder.join(30)
    assert query(WAITING) == [{"n": 1}]
    assert deliver(quick, 1) == {"done": 1}
    assert receiver.events() == ["alert.resolved"]


def test_nothing_is_put_behind_what_is_just_ending(
    quick: Workshop, receiver: Receiver, database: Database, query: Query
) -> None:
    """A lease beside the one who records a late delivery waits for nobody, and leaves the next event where it is."""
    subscribe(quick, receiver.url)
    alert_id = announce(quick, "alert.created")
    slow = lease_too_slow_for(database, query)
    announce(quick, "alert.resolved", alert_id=alert_id)
    with connect_database(quick.database_url, "leasing") as leasing:
        with database.transaction():
            record(database, [slow], 200, Outcome("done", "delivered"), query)
            assert lease_due(leasing, 8, QUICK) == []
        assert query(WAITING) == [{"n": 1}]
        assert [item.event for item in lease_due(leasing, 8, QUICK)] == ["alert.resolved"]


def wait_for_lock(database: Database) -> None:
    """Wait until somebody waits for a lock. Raises AssertionError after half a minute."""
    until = time.monotonic() + 30
    while database.execute("SELECT FROM pg_locks WHERE NOT granted").fetchone() is None:
        assert time.monotonic() < until, "nobody waits for a lock"
        time.sleep(0.01)


def test_each_alert_is_told_in_order_by_several_forwarders(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """With failures all over and two forwarders, no event of an alert is delivered before an earlier one."""
    hasty = tuned(quick, msgspec.structs.replace(QUICK, schedule=(0.02,) * 50))
    receiver.statuses = [503, 200, 503, 503, 200] * 40 + [200]
    subscribe(hasty, receiver.url)
    alerts = [make_alert(str(uuid4())) for _ in range(12)]
    over = time.monotonic() + 60

    def forward_all() -> None:
        while query("SELECT FROM outbox WHERE state = 'due' LIMIT 1") and time.monotonic() < over:
            forward(hasty, 0.3)

    announce_together(hasty, [Event("alert.created", alert) for alert in alerts])
    threads = [threading.Thread(target=forward_all) for _ in range(2)]
    for thread in threads:
        thread.start()
    for event in ("alert.updated", "alert.resolved"):
        announce_together(hasty, [Event(event, alert) for alert in alerts])
    for thread in threads:
        thread.join()
    forward_all()
    assert query("SELECT DISTINCT state FROM outbox") == [{"state": "delivered"}]
    in_order = query("SELECT alert_id::text, position, ended_at FROM outbox ORDER BY alert_id, position")
    for earlier, later in pairwise(in_order):
        assert earlier["alert_id"] != later["alert_id"] or earlier["ended_at"] < later["ended_at"]
    for alert in alerts:
        told = [event["event"] for event in map(json.loads, (body for _headers, body in receiver.received))
                if event["payload"]["id"] == alert.id]  # fmt: skip
        assert sorted(told, key=["alert.created", "alert.updated", "alert.resolved"].index) == told
