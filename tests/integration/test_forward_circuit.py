"""A subscription that keeps failing is tripped, loses nothing, and comes back by itself or by hand."""

import msgspec
import pytest
from structlog.testing import capture_logs

from console.downstream.subscriptions import set_state
from tests.integration.conftest import Query
from tests.integration.downstream import QUICK, Receiver, announce, deliver, subscribe, tuned
from workers.connections import connect_database
from workers.delivery.forward import forward
from workers.settings import Workshop

FRAGILE = msgspec.structs.replace(QUICK, trip_failures=3, trip_seconds=0, probe_interval=0.3, schedule=(0.05,) * 20)


@pytest.fixture
def fragile(workshop: Workshop) -> Workshop:
    """Return a workshop whose circuits trip after three failures."""
    return tuned(workshop, FRAGILE)


def trip(workshop: Workshop, receiver: Receiver, alerts: int = 5) -> list[str]:
    """Make a subscription, let it be tripped with so many alerts due to it, and return their ids in order."""
    receiver.statuses = [500]
    subscribe(workshop, receiver.url)
    announced = [announce(workshop, "alert.created") for _ in range(alerts)]
    deliver(tuned(workshop, msgspec.structs.replace(FRAGILE, probe_interval=3600)), 3)
    return announced


def test_failures_in_a_row_trip_the_subscription(fragile: Workshop, receiver: Receiver, query: Query) -> None:
    """After the set number it is tripped, nothing more is sent, everything stays due, and log and events say so."""
    with capture_logs() as logs:
        trip(fragile, receiver)
    assert query("SELECT state FROM subscriptions") == [{"state": "tripped"}]
    assert query("SELECT state, count(*) AS n FROM outbox GROUP BY state") == [{"state": "due", "n": 5}]
    sent = len(receiver.received)
    assert 3 <= sent < 10
    (noted,) = query("SELECT what, why FROM subscription_log")
    assert noted["what"] == "tripped"
    assert "status 500" in noted["why"]
    (told,) = [line for line in logs if line["event"] == "subscription_tripped"]
    assert told["log_level"] == "error"
    assert forward(tuned(fragile, msgspec.structs.replace(FRAGILE, probe_interval=3600)), 0.3) == {}
    assert len(receiver.received) == sent


def test_a_success_between_failures_keeps_the_circuit_closed(
    fragile: Workshop, receiver: Receiver, query: Query
) -> None:
    """Only failures in a row count."""
    receiver.statuses = [500, 500, 200, 500, 500, 200]
    subscribe(fragile, receiver.url, concurrency=1)
    announce(fragile, "alert.created", "alert.resolved")
    assert deliver(fragile, 6) == {"again": 4, "done": 2}
    assert query("SELECT state, failures FROM subscriptions") == [{"state": "active", "failures": 0}]


def test_failures_must_last_for_a_while(fragile: Workshop, receiver: Receiver, query: Query) -> None:
    """A burst of failures within the set time does not trip."""
    lenient = tuned(fragile, msgspec.structs.replace(FRAGILE, trip_seconds=3600))
    receiver.statuses = [503]
    subscribe(lenient, receiver.url)
    announce(lenient, "alert.created")
    deliver(lenient, 4)
    (subscription,) = query("SELECT state, failures FROM subscriptions")
    assert subscription["failures"] > 3
    assert subscription["state"] == "active"


def test_refusals_trip_too(fragile: Workshop, receiver: Receiver, query: Query) -> None:
    """A receiver that refuses everything (401 after its key was changed) loses no more than what tripped it."""
    receiver.statuses = [401]
    subscribe(fragile, receiver.url, concurrency=1)
    for _ in range(10):
        announce(fragile, "alert.created")
    deliver(tuned(fragile, msgspec.structs.replace(FRAGILE, probe_interval=3600)), 3)
    assert query("SELECT state, count(*) AS n FROM outbox GROUP BY state ORDER BY state") == [
        {"state": "due", "n": 7}, {"state": "given_up", "n": 3},
    ]  # fmt: skip


def test_a_probe_that_succeeds_resumes_it_with_the_backlog_in_order(
    fragile: Workshop, receiver: Receiver, query: Query
) -> None:
    """One delivery is tried; then all that waited goes out, in the order in which it came up."""
    announced = trip(fragile, receiver)
    receiver.received.clear()
    receiver.statuses = [204]
    query("UPDATE subscriptions SET probe_at = now(), concurrency = 1 RETURNING 1")
    query("UPDATE outbox SET due_at = now() + interval '1 hour' WHERE alert_id = %s RETURNING 1", announced[1])
    # One that was postponed and has come due again meanwhile, after those behind it.
    query("UPDATE outbox SET due_at = now(), attempts = 5 WHERE alert_id = %s RETURNING 1", announced[2])
    assert deliver(fragile, 5) == {"done": 5}
    assert query("SELECT state, failures FROM subscriptions") == [{"state": "active", "failures": 0}]
    assert [row["what"] for row in query("SELECT what FROM subscription_log ORDER BY id")] == ["tripped", "resumed"]
    probe, *rest = receiver.alerts()
    assert rest == [alert_id for alert_id in announced if alert_id != probe]


def test_probes_that_fail_use_up_no_schedule(fragile: Workshop, receiver: Receiver, query: Query) -> None:
    """While it is tripped one delivery at a time is tried, at the interval, and none is ever given up for it."""
    trip(fragile, receiver, alerts=2)
    receiver.received.clear()
    receiver.times.clear()
    query("UPDATE subscriptions SET probe_at = now() RETURNING 1")
    query("UPDATE outbox SET spared = 0, attempts = 21 RETURNING 1")  # of a schedule of twenty
    assert set(deliver(fragile, 3)) == {"again"}
    assert all(later - earlier >= 0.25 for earlier, later in zip(receiver.times, receiver.times[1:], strict=False))
    assert query("SELECT DISTINCT state FROM outbox") == [{"state": "due"}]
    assert query("SELECT state FROM subscriptions") == [{"state": "tripped"}]


def test_resuming_by_hand_sends_the_backlog_in_order(fragile: Workshop, receiver: Receiver, query: Query) -> None:
    """What was postponed is due at once, and nothing is held against the subscription any more."""
    announced = trip(fragile, receiver)
    receiver.received.clear()
    receiver.statuses = [204]
    query("UPDATE outbox SET due_at = now() + interval '1 hour' RETURNING 1")
    (subscription,) = query("UPDATE subscriptions SET concurrency = 1 RETURNING id::text")
    with connect_database(fragile.database_url, "test") as database, database.transaction():
        assert set_state(database, subscription["id"], "active", "test")["state"] == "active"
    assert deliver(fragile, 5) == {"done": 5}
    assert receiver.alerts() == announced
    assert query("SELECT action, note FROM operations") == [{"action": "resume subscription", "note": "was tripped"}]


def test_a_receiver_that_is_gone_loses_nothing_at_the_end_of_its_schedule(
    fragile: Workshop, receiver: Receiver, query: Query
) -> None:
    """410 to the last attempt of the schedule pauses the subscription and keeps the item."""
    receiver.statuses = [410]
    subscribe(fragile, receiver.url)
    announce(fragile, "alert.created")
    query("UPDATE outbox SET attempts = 20 RETURNING 1")
    assert deliver(fragile, 1) == {"pause": 1}
    assert query("SELECT state FROM subscriptions") == [{"state": "paused"}]
    assert query("SELECT state FROM outbox") == [{"state": "due"}]
    assert query("SELECT what FROM subscription_log") == [{"what": "paused"}]
