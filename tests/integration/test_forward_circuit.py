"""A subscription that keeps failing is tripped, loses nothing, and comes back by itself or by hand."""

import time
from datetime import UTC, datetime

import msgspec
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from console.downstream.listing import read_subscription
from console.downstream.turns import set_state
from tests.integration.conftest import Query
from tests.integration.downstream import QUICK, Receiver, announce, deliver, forward, run_receiver, subscribe, tuned
from workers.database.connections import connect_database
from workers.delivery.forward import Forwarder
from workers.settings import Workshop
from workers.telemetry.metrics import DELIVERY_OUTCOMES, TURNS, name_subscription

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


def test_a_single_alert_trips_in_a_long_outage(workshop: Workshop, receiver: Receiver, query: Query) -> None:
    """Who is sent little is tripped by three failures over an hour, so its alert is kept, not given up in the end."""
    patient = tuned(workshop, msgspec.structs.replace(QUICK, schedule=(3600,) * 12, probe_interval=3600))
    receiver.statuses = [500]
    subscribe(patient, receiver.url)
    announce(patient, "alert.created")
    states = []
    for _ in range(3):
        assert deliver(patient, 1) == {"again": 1}
        states += query("SELECT state, failures FROM subscriptions")
        query("UPDATE subscriptions SET failing_since = now() - interval '1 hour' RETURNING 1")
        query("UPDATE outbox SET due_at = now() RETURNING 1")
    assert states == [
        {"state": "active", "failures": 1}, {"state": "active", "failures": 2}, {"state": "tripped", "failures": 3},
    ]  # fmt: skip
    query("UPDATE outbox SET attempts = 12 RETURNING 1")  # of a schedule of twelve
    query("UPDATE subscriptions SET probe_at = now() RETURNING 1")
    assert deliver(patient, 1) == {"again": 1}
    assert query("SELECT state FROM outbox") == [{"state": "due"}]


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
    began = time.monotonic()
    query("UPDATE subscriptions SET probe_at = now() RETURNING 1")
    query("UPDATE outbox SET spared = 0, attempts = 21 RETURNING 1")  # of a schedule of twenty
    assert set(deliver(fragile, 3)) == {"again"}
    assert all(came - began >= number * 0.25 for number, came in enumerate(receiver.times))
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


@pytest.mark.parametrize("status", [429, 503])
def test_receiver_that_asks_for_time_is_left_alone(
    fragile: Workshop, receiver: Receiver, query: Query, status: int
) -> None:
    """`Retry-After` with 429 or 503 holds every delivery to this receiver, others go out, and then all of it comes."""
    receiver.statuses = [status, 204]
    receiver.headers["Retry-After"] = "1"
    subscribe(fragile, receiver.url, concurrency=1)
    announced = [announce(fragile, "alert.created") for _ in range(3)]
    with run_receiver() as other:
        subscribe(fragile, other.url, name="other")
        announce(fragile, "alert.created")
        assert deliver(fragile, 6) == {"again": 1, "done": 5}
        assert len(other.received) == 1
        assert other.times[0] < receiver.times[1]
    assert receiver.times[1] - receiver.times[0] >= 1
    assert set(receiver.alerts()[1:]) >= set(announced)
    assert query("SELECT state, count(*) AS n FROM outbox GROUP BY state") == [{"state": "delivered", "n": 5}]


def test_resuming_by_hand_waits_for_nobody(fragile: Workshop, receiver: Receiver) -> None:
    """Who resumes a subscription knows better than what its receiver asked for before."""
    receiver.statuses = [429, 204]
    receiver.headers["Retry-After"] = "250"
    subscription_id = subscribe(fragile, receiver.url, concurrency=1)
    announce(fragile, "alert.created")
    announce(fragile, "alert.created")
    assert deliver(fragile, 1) == {"again": 1}
    with connect_database(fragile.database_url, "test") as database:
        assert read_subscription(database, subscription_id, fragile.keyring)["asked_until"] > datetime.now(UTC)
        set_state(database, subscription_id, "active", "operator")
    assert deliver(fragile, 2) == {"done": 2}


@pytest.mark.parametrize("asked", ["Mon, 20 Nov 2095 19:12:08 +99999999999999", "\x01", "9" * 4000])
def test_no_answer_stops_the_forwarder(fragile: Workshop, receiver: Receiver, asked: str) -> None:
    """A `Retry-After` that cannot be reckoned with is none; whatever it says, other receivers get theirs."""
    receiver.statuses = [500, 204]
    receiver.headers["Retry-After"] = asked
    subscribe(fragile, receiver.url)
    with run_receiver() as other:
        subscribe(fragile, other.url, name="other")
        announce(fragile, "alert.created")
        deliver(fragile, 2)
        announce(fragile, "alert.resolved")
        deliver(fragile, 2)
        assert sorted(other.events()) == ["alert.created", "alert.resolved"]


@pytest.mark.parametrize(
    ("status", "before", "after"),
    [(204, "tripped", "active"), (410, "active", "paused"), (429, "active", "asked")],
    ids=["resumed", "paused", "left alone"],
)
def test_attempt_counts_although_somebody_holds_the_subscription(
    fragile: Workshop, receiver: Receiver, query: Query, status: int, before: str, after: str
) -> None:
    """What an attempt says of its receiver, recorded while the row is held, waits for nobody and counts afterwards."""
    receiver.statuses = [status]
    receiver.headers["Retry-After"] = "100"
    own_id = subscribe(fragile, receiver.url, state=before, probe_at=datetime.now(UTC))
    announce(fragile, "alert.created")
    ask = "SELECT CASE WHEN asked_until > now() THEN 'asked' ELSE state END AS state FROM subscriptions"
    patient = tuned(fragile, msgspec.structs.replace(FRAGILE, probe_interval=3600, schedule=(3600,)))
    forwarder = Forwarder(patient)
    with forwarder.line.listen() as database, connect_database(patient.database_url, "holder") as holder:
        forwarder.take_turn(database)
        until = time.monotonic() + 30
        while not forwarder.threads.finished and time.monotonic() < until:
            time.sleep(0.01)
        with holder.transaction():
            holder.execute("SELECT FROM subscriptions WHERE id = %s FOR UPDATE", [own_id])
            assert forwarder.take_turn(database).total() == 1
            assert forwarder.take_turn(database).total() == 0
            assert query(ask) == [{"state": before}]
        forwarder.take_turn(database)
    assert query(ask) == [{"state": after}]
    assert query("SELECT count(*) AS n FROM attempts") == [{"n": 1}]
    assert forwarder.uncounted == {}
    forwarder.finish()


def read_counts(subscription: str) -> dict[str, float]:
    """Return what this process has counted for a subscription: by outcome, by turn, and how often it took the time."""
    own = {"subscription": name_subscription(subscription)}
    samples = {name: ("alert_intake_deliveries_total", own | {"outcome": name}) for name in DELIVERY_OUTCOMES}
    samples |= {"turn " + name: ("alert_intake_subscription_turns_total", own | {"turn": name}) for name in TURNS}
    samples |= {"attempts": ("alert_intake_delivery_seconds_count", own)}
    samples |= {"lags": ("alert_intake_delivery_lag_seconds_count", own)}
    return {name: REGISTRY.get_sample_value(*sample) or 0.0 for name, sample in samples.items()}


def test_deliveries_and_turns_are_counted(fragile: Workshop, receiver: Receiver) -> None:
    """Each attempt counts once by what followed from it, and each turn of the subscription, under its name."""
    before = read_counts("counted")
    subscribe(fragile, receiver.url, name="counted")
    for statuses, verdicts in (
        ([500, 500, 500, 204], {"again": 3, "done": 1}),  # tripped, and resumed by a probe
        ([422], {"final": 1}),
        ([410], {"pause": 1}),
    ):
        receiver.statuses = list(statuses)
        announce(fragile, "alert.created")
        assert deliver(fragile, len(statuses)) == verdicts
    counted = {name: count - before[name] for name, count in read_counts("counted").items()}
    assert counted == {
        "postponed": 3, "delivered": 1, "given_up": 1, "paused": 1, "attempts": 6, "lags": 1,
        "turn tripped": 1, "turn resumed": 1, "turn paused": 1,
    }  # fmt: skip
