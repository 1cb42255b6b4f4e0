"""From the outbox to a receiver, on a real PostgreSQL and a real HTTP server."""

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from standardwebhooks import Webhook

from schemas.downstream.subscription import Credentials
from schemas.settings.forwarding import Forwarding
from tests.integration.conftest import Query
from tests.integration.downstream import QUICK, SECRET, Receiver, announce, deliver, end_leases, subscribe, tuned
from workers.database.connections import connect_database
from workers.delivery.clock import SharedClock
from workers.delivery.lease import lease_due
from workers.delivery.policy import Answer, Outcome
from workers.delivery.record import Attempt, record_attempts
from workers.settings import Workshop


def test_delivery_is_signed_and_authenticated(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """A delivery carries the signature, Basic and custom headers, and ends as delivered with its attempt on record."""
    credentials = Credentials(secret=SECRET, basic=("shop", "pa:ss"), headers={"X-API-Key": "key"})
    subscribe(quick, receiver.url, credentials=credentials)
    announce(quick, "alert.created")
    assert deliver(quick, 1) == {"done": 1}
    ((headers, body),) = receiver.received
    Webhook(SECRET).verify(body, headers)
    assert headers["authorization"] == "Basic c2hvcDpwYTpzcw=="
    assert headers["x-api-key"] == "key"
    (item,) = query("SELECT id::text, state FROM outbox")
    assert item == {"id": headers["webhook-id"], "state": "delivered"}
    (attempt,) = query("SELECT status, number, error FROM attempts")
    assert attempt == {"status": 204, "number": 1, "error": None}


def test_worker_with_a_wrong_clock_signs_by_the_database(
    quick: Workshop, receiver: Receiver, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker whose clock is an hour ahead signs with the database's time, and records its attempt by it."""
    right = time.time
    monkeypatch.setattr("workers.delivery.clock.time.time", lambda: right() + 3600)
    subscribe(quick, receiver.url)
    announce(quick, "alert.created")
    assert deliver(quick, 1) == {"done": 1}
    monkeypatch.undo()
    ((headers, body),) = receiver.received
    Webhook(SECRET).verify(body, headers)
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert query("SELECT abs(extract(epoch FROM attempted_at - now())) < 60 AS right FROM attempts") == [
        {"right": True}
    ]


def test_webhook_id_is_stable_over_attempts(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """A delivery that failed comes again under the same webhook-id, each attempt on record."""
    receiver.statuses = [500, 429, 200]
    subscribe(quick, receiver.url)
    announce(quick, "alert.created")
    assert deliver(quick, 3) == {"again": 2, "done": 1}
    assert len({headers["webhook-id"] for headers, _body in receiver.received}) == 1
    attempts = query("SELECT status, next_at IS NULL AS last FROM attempts ORDER BY number")
    assert [(row["status"], row["last"]) for row in attempts] == [(500, False), (429, False), (200, True)]


def test_used_up_schedule_is_given_up(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """After its last attempt an item is given up, and stays visible as such."""
    receiver.statuses = [503]
    subscribe(quick, receiver.url)
    announce(quick, "alert.created")
    assert deliver(quick, 3) == {"again": 3}
    assert query("SELECT state, attempts FROM outbox") == [{"state": "given_up", "attempts": 3}]


@pytest.mark.parametrize("status", [302, 400, 404, 422])
def test_final_answers_are_not_repeated(quick: Workshop, receiver: Receiver, query: Query, status: int) -> None:
    """Redirects are not followed, and what a client error refused is not sent again."""
    receiver.statuses = [status]
    subscribe(quick, receiver.url)
    announce(quick, "alert.created")
    assert deliver(quick, 1) == {"final": 1}
    assert len(receiver.received) == 1
    assert query("SELECT state FROM outbox") == [{"state": "given_up"}]


def test_receiver_that_is_gone_pauses_its_subscription(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """410 pauses the subscription; the item stays due and nothing more is sent."""
    receiver.statuses = [410]
    subscribe(quick, receiver.url)
    announce(quick, "alert.created", "alert.updated")
    assert deliver(quick, 1) == {"pause": 1}
    assert query("SELECT state FROM subscriptions") == [{"state": "paused"}]
    assert query("SELECT state, count(*) AS n FROM outbox GROUP BY state") == [{"state": "due", "n": 2}]


def test_one_alert_is_told_in_order(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """While the first event of an alert is due, the later ones wait; another alert does not."""
    receiver.statuses = [500, 200]
    subscribe(quick, receiver.url)
    alert_id = announce(quick, "alert.created", "alert.updated", "alert.resolved")
    deliver(quick, 4)
    assert receiver.events() == ["alert.created", "alert.created", "alert.updated", "alert.resolved"]
    assert {row["alert_id"] for row in query("SELECT alert_id::text FROM outbox")} == {alert_id}


def test_subscription_gets_only_what_it_asked_for(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """Events outside a subscription's list are not due to it."""
    subscribe(quick, receiver.url, events=("alert.resolved",))
    announce(quick, "alert.created", "alert.resolved")
    deliver(quick, 1)
    assert receiver.events() == ["alert.resolved"]


def test_killed_forwarder_loses_nothing(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """An item whose forwarder died is due again when its lease ends, under the same id."""
    subscribe(quick, receiver.url)
    announce(quick, "alert.created")
    with connect_database(quick.database_url, "test") as database:
        (item,) = lease_due(database, 10, QUICK)
        assert lease_due(database, 10, QUICK) == []
        end_leases(database)
    assert deliver(quick, 1) == {"done": 1}
    assert receiver.received[0][0]["webhook-id"] == item.outbox_id


def test_late_failure_does_not_undo_a_delivery(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """Who lost the lease and reports a failure changes nothing; who reports a delivery ends the item."""
    subscribe(quick, receiver.url)
    announce(quick, "alert.created")
    with connect_database(quick.database_url, "test") as database:
        (slow,) = lease_due(database, 1, QUICK)
        end_leases(database)
        (current,) = lease_due(database, 1, QUICK)
        now = SharedClock().now()
        record_attempts(database, [Attempt(slow, Answer(500, 1.0), Outcome("again", "due", 0.0), now)], QUICK, {})
        assert query("SELECT due_at > now() + interval '10 s' AS leased FROM outbox") == [{"leased": True}]
        record_attempts(database, [Attempt(current, Answer(200, 1.0), Outcome("done", "delivered"), now)], QUICK, {})
    assert query("SELECT state FROM outbox") == [{"state": "delivered"}]


def test_private_addresses_are_refused_by_default(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """Unless allowed, a receiver on loopback gets nothing, and the attempt says why."""
    subscribe(quick, receiver.url)
    announce(quick, "alert.created")
    guarded = tuned(quick, Forwarding(schedule=(60,), allow_http=True))
    assert deliver(guarded, 1) == {"again": 1}
    assert receiver.received == []
    assert "not a public one" in query("SELECT error FROM attempts")[0]["error"]


@pytest.mark.parametrize("scheme", ["http", "HTTP", "Http"])
def test_plain_http_is_refused_by_default(quick: Workshop, receiver: Receiver, query: Query, scheme: str) -> None:
    """Unless allowed, nothing is sent over plain HTTP, however that is spelled."""
    subscribe(quick, receiver.url.replace("http", scheme))
    announce(quick, "alert.created")
    assert deliver(tuned(quick, Forwarding(schedule=(60,), allow_private_addresses=True)), 1) == {"again": 1}
    assert receiver.received == []
    assert "plain http" in query("SELECT error FROM attempts")[0]["error"]


def test_slow_receiver_does_not_hold_up_others(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """A receiver that never answers delays nobody else's delivery."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler, bind_and_activate=True) as silent:
        subscribe(quick, f"http://127.0.0.1:{silent.server_port}/")
        subscribe(quick, receiver.url)
        announce(quick, "alert.created")
        announce(quick, "alert.created")
        deliver(quick, 4)
    assert len(receiver.received) == 2
    assert {row["error"] for row in query("SELECT error FROM attempts WHERE status IS NULL")} == {"Timeout"}


def test_attempt_that_cannot_be_recorded_stops_no_other(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """What the database refuses to record is left to the end of its lease; the others of its batch are recorded."""
    subscribe(quick, receiver.url)
    refused = announce(quick, "alert.created")
    others = [announce(quick, "alert.created") for _ in range(3)]
    with connect_database(quick.database_url, "test") as database:
        database.execute(f"ALTER TABLE attempts ADD CHECK (alert_id <> '{refused}')".encode())
    assert deliver(quick, 4)["done"] == 4
    states = {row["alert_id"]: row["state"] for row in query("SELECT alert_id::text, state FROM outbox")}
    assert states == {refused: "due", **dict.fromkeys(others, "delivered")}
