"""Remote enrichment between storing and forwarding: a real order service, real drains, real deliveries."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from schemas.downstream.subscription import Credentials, generate_secret, seal_credentials
from schemas.journal.append import append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from schemas.settings.enrichers import Enrichment, Lookup, RemoteEnrichment
from schemas.settings.forwarding import Forwarding
from schemas.settings.secret import Secret
from schemas.settings.sources import Basic
from tests.gunicorn import wait_for
from tests.integration.conftest import Query
from tests.integration.downstream import deliver, forward
from tests.integration.orders import ORDER, Orders, run_orders
from workers.database.connections import connect_database
from workers.intake.drain import drain
from workers.lookups.asking import Remote
from workers.lookups.remote import open_remotes
from workers.lookups.station import Station
from workers.lookups.waiting import lease_waiting
from workers.settings import Workshop

PATIENCE_SECONDS = 20.0
PATIENT = RemoteEnrichment(give_up_after=60, retry_after=0.05)
ALERT = {
    "provider": "ETHOCA", "providerId": "A1", "type": "ETHOCA_CUSTOMER_DISPUTE", "status": "OPEN", "cardBin": "555555",
    "cardLastFour": "4444", "amount": "125.400", "currency": "usd", "merchantId": "M1", "merchantOrderId": "O-7",
}  # fmt: skip


@pytest.fixture
def orders() -> Iterator[Orders]:
    """Run an order service."""
    with run_orders() as orders:
        yield orders


@pytest.fixture
def receiver() -> Iterator[Orders]:
    """Run a downstream service: it takes everything."""
    with run_orders() as receiver:
        yield receiver


@pytest.fixture
def shop(workshop: Workshop, orders: Orders, receiver: Orders) -> Workshop:
    """Return a workshop with the order look-up and one subscription to everything."""
    subscription_id = str(uuid7())
    sealed = seal_credentials(Credentials(secret=generate_secret()), subscription_id, workshop.keyring)
    with connect_database(workshop.database_url, "test") as database:
        database.execute(
            "INSERT INTO subscriptions (id, name, url, events, sealed) VALUES (%s, 'all', %s, '{*}', %s)",
            [subscription_id, receiver.url, sealed],
        )
    return tuned(workshop, orders, PATIENT)


def tuned(
    workshop: Workshop,
    orders: Orders,
    remote: RemoteEnrichment,
    credential: Basic | None = None,
    timeout: float = 1.0,
) -> Workshop:
    """Return the workshop with these settings of remote enrichment."""
    lookups = (Lookup(name="orders", url=orders.url, allow_http=True, timeout=timeout, credential=credential),)
    configuration = msgspec.structs.replace(
        workshop.configuration,
        enrichment=Enrichment(lookups=lookups, remote=remote),
        forwarding=Forwarding(schedule=(60,), timeout=2, allow_http=True, allow_private_addresses=True),
    )
    return replace(workshop, configuration=configuration)


def push(shop: Workshop, *payloads: dict[str, Any], event: str = "alert.created") -> None:
    """Push alerts as the door does, and drain them."""
    with connect_journal(shop.journal_url, 5.0) as client:
        for payload in payloads:
            body = {"event": event, "timestamp": "2026-11-20T12:00:00Z", "payload": payload}
            envelope = Envelope("reseller", json.dumps(body).encode())
            append_entry(client, shop.configuration.journal, seal_envelope(envelope, shop.keyring))
        while client.xlen(shop.configuration.journal.stream):
            drain(shop, f"drain@test/{threading.get_ident()}", 0.1)


def run_station(shop: Workshop, remotes: Sequence[Remote] | None = None) -> dict[str, int]:
    """Run an enrich station of its own until nothing waits; return its verdicts."""
    with closing(Station(shop, remotes or open_remotes(shop.configuration))) as station:
        return finish(shop, station)


def finish(shop: Workshop, station: Station) -> dict[str, int]:
    """Let a station go on until nothing waits, for PATIENCE_SECONDS at most; return its verdicts."""
    verdicts: Counter[str] = Counter()
    deadline = time.monotonic() + PATIENCE_SECONDS
    with connect_database(shop.database_url, "test") as database:
        while database.execute("SELECT FROM enrichments LIMIT 1").rowcount and time.monotonic() < deadline:
            verdicts.update({str(verdict): count for verdict, count in station.run(0.2).items()})
    return dict(verdicts)


def test_alert_goes_out_with_its_order(shop: Workshop, orders: Orders, receiver: Orders, query: Query) -> None:
    """Nothing is delivered before the order is known; then it is in what goes out and in the alert, at one revision."""
    push(shop, ALERT)
    forward(shop, 0.3)
    assert receiver.asked == []
    assert run_station(shop) == {"enriched": 1}
    deliver(shop, 1)
    (body,) = receiver.asked
    assert body["enrichment"]["orders"] == {"order": ORDER}
    assert {"failed", "pending"} & body["enrichment"].keys() == set()
    (alert,) = query("SELECT revision, enrichment FROM alerts")
    assert (alert["revision"], alert["enrichment"]["orders"]) == (1, {"order": ORDER})
    assert query("SELECT FROM enrichments") == []


def test_shop_is_asked_what_the_contract_says(shop: Workshop, orders: Orders) -> None:
    """One POST of JSON with the configured credentials: the alert's transaction, every key there, no full card."""
    with_password = Basic("intake", Secret(env="PATH"))
    push(tuned(shop, orders, PATIENT, credential=with_password), ALERT)
    run_station(tuned(shop, orders, PATIENT, credential=with_password))
    (question,) = orders.asked
    assert set(question) == {"alert"}
    alert = question["alert"]
    assert list(alert) == ["id", "provider", "provider_alert_id", "kind", "status", "alerted_at", "amount", "currency",
                           "card", "transaction", "merchant"]  # fmt: skip
    assert (alert["provider_alert_id"], alert["amount"], alert["currency"]) == ("A1", "125.40", "USD")
    assert alert["card"] == {"bin": "555555", "last4": "4444", "network": "mastercard"}
    assert alert["merchant"]["order_id"] == "O-7"
    (headers,) = orders.headers
    assert headers["content-type"] == "application/json"
    assert headers["authorization"].startswith("Basic ")


def test_alert_goes_out_marked_when_nobody_enriches(
    shop: Workshop, orders: Orders, receiver: Orders, query: Query
) -> None:
    """Without any enrich worker an alert is late by the setting, and says what is missing."""
    hurried = tuned(shop, orders, RemoteEnrichment(give_up_after=3.0))
    push(hurried, ALERT)
    forward(hurried, 0.2)
    assert receiver.asked == []
    deliver(hurried, 1)
    (body,) = receiver.asked
    assert body["enrichment"]["failed"] == ["orders"]
    assert {"orders", "pending"} & body["enrichment"].keys() == set()
    assert orders.asked == []


def test_dead_service_is_given_up_in_time(shop: Workshop, orders: Orders, receiver: Orders, query: Query) -> None:
    """A service that only fails is asked again until the time is over; the alert goes out marked, and is marked."""
    orders.statuses = [503]
    hurried = tuned(shop, orders, RemoteEnrichment(give_up_after=3.0, retry_after=0.1, trip_failures=100))
    push(hurried, ALERT)
    assert run_station(hurried)["given_up"] == 1
    assert len(orders.asked) > 2
    deliver(hurried, 1)
    assert [body["enrichment"]["failed"] for body in receiver.asked] == [["orders"]]
    told = (
        "SELECT enrichment->'failed' AS failed FROM alerts UNION ALL SELECT alert->'enrichment'->'failed' FROM events"
    )
    assert query(told) == [{"failed": ["orders"]}] * 2
    orders.statuses = [200]
    push(hurried, ALERT | {"status": "RESOLVED"}, event="alert.resolved")
    assert run_station(hurried)["enriched"] == 1
    (alert,) = query("SELECT enrichment FROM alerts")
    assert alert["enrichment"]["orders"] == {"order": ORDER}
    assert "failed" not in alert["enrichment"]


@pytest.mark.parametrize("status", [408, 429, 500])
def test_service_that_fails_for_a_moment_is_asked_again(shop: Workshop, orders: Orders, status: int) -> None:
    """Such an answer means "not now": the next one counts."""
    orders.statuses = [status, 200]
    push(shop, ALERT)
    assert run_station(shop) == {"again": 1, "enriched": 1}


def test_each_round_names_the_push_that_it_comes_from(shop: Workshop, orders: Orders, query: Query) -> None:
    """The log line of every round holds the request id of the push that last changed the alert."""
    orders.statuses = [503, 200]
    with capture_logs() as logs:
        push(shop, ALERT)
        run_station(shop)
        push(shop, ALERT | {"issuer": "BANK 2"})
        run_station(shop)
    rounds = [(line["verdict"], line["request_id"]) for line in logs if line["event"] == "alert_enriched"]
    rows = query("SELECT replace(request_id::text, '-', '') AS id FROM receipts ORDER BY entered_at, sequence")
    first, second = (row["id"] for row in rows)
    assert rounds == [("again", first), ("enriched", first), ("enriched", second)]


@pytest.mark.parametrize(
    ("status", "answer"),
    [(302, b""), (403, b""), (200, b"<html>"), (200, b"[]"), (200, b'{"order": 7}'), (200, b"{}"),
     (200, b'{"order": {"note": "' + b"x" * 20_000 + b'"}}'), (200, b'{"order": ' + b"[" * 30 + b"]" * 30 + b"}")],
)  # fmt: skip
def test_useless_answer_fails_at_once(
    shop: Workshop, orders: Orders, receiver: Orders, status: int, answer: bytes
) -> None:
    """What would be answered again is not asked again; the alert goes out marked, without waiting."""
    orders.statuses, orders.answer = [status], answer
    push(shop, ALERT)
    assert run_station(shop) == {"given_up": 1}
    assert len(orders.asked) == 1
    deliver(shop, 1)
    assert [body["enrichment"]["failed"] for body in receiver.asked] == [["orders"]]


@pytest.mark.parametrize(("status", "answer"), [(200, b'{"order": null}'), (404, b"not found")])
def test_unknown_order_is_an_answer(shop: Workshop, orders: Orders, query: Query, status: int, answer: bytes) -> None:
    """That there is no such order is worth knowing, and no failure."""
    orders.statuses, orders.answer = [status], answer
    push(shop, ALERT)
    assert run_station(shop) == {"enriched": 1}
    (alert,) = query("SELECT enrichment FROM alerts")
    assert alert["enrichment"]["orders"] == {"order": None}


def test_card_numbers_in_an_answer_are_not_kept(shop: Workshop, orders: Orders, query: Query) -> None:
    """What a shop should not have sent is masked before it is stored, as text and as a number."""
    orders.answer = (
        b'{"order": {"note": "paid with 4111 1111 1111 1111", "card": 4111111111111111, "nul": "a\\u0000b"}}'
    )
    push(shop, ALERT)
    assert run_station(shop) == {"enriched": 1}
    (alert,) = query("SELECT enrichment FROM alerts")
    order = alert["enrichment"]["orders"]["order"]
    assert "1111 1111" not in order["note"]
    assert (order["card"], order["nul"]) == ("411111******1111", "a\ufffdb")


def test_failing_service_is_left_in_peace(shop: Workshop, orders: Orders, receiver: Orders) -> None:
    """After so many failures nobody asks; alerts for which it would come too late go out at once."""
    orders.statuses = [500]
    tripping = tuned(
        shop, orders, RemoteEnrichment(give_up_after=20, retry_after=0.05, trip_failures=3, trip_seconds=60)
    )
    push(tripping, *(ALERT | {"providerId": f"A{number}"} for number in range(20)))
    began = time.monotonic()
    station = Station(tripping, open_remotes(tripping.configuration))
    assert finish(tripping, station)["given_up"] == 20
    assert len(orders.asked) < 3 + tripping.configuration.enrichment.remote.concurrency
    asked = len(orders.asked)
    push(tripping, ALERT | {"providerId": "LATER"})
    assert finish(tripping, station) == {"given_up": 1}
    station.close()
    assert len(orders.asked) == asked
    deliver(tripping, 21)
    assert len(receiver.asked) == 21
    assert time.monotonic() - began < 15  # none has waited until it was given up


def test_one_that_is_tripped_takes_no_second_attempt_from_the_others(
    shop: Workshop, orders: Orders, receiver: Orders
) -> None:
    """While one is left in peace for longer than an alert may wait, another that failed is asked again all the same."""
    with run_orders() as stock:
        stock.statuses = [503, 200]
        both = tuple(
            Lookup(name=name, url=service.url, allow_http=True)
            for name, service in (("orders", orders), ("stock", stock))
        )
        settings = RemoteEnrichment(give_up_after=20, retry_after=0.05, trip_failures=2, trip_seconds=60)
        configuration = msgspec.structs.replace(
            shop.configuration, enrichment=Enrichment(lookups=both, remote=settings)
        )
        two = replace(shop, configuration=configuration)
        remotes = open_remotes(configuration)
        for _ in range(settings.trip_failures):
            remotes[0].circuit.note_failure()
        push(two, ALERT)
        assert run_station(two, remotes) == {"again": 1, "given_up": 1}
    deliver(two, 1)
    (body,) = receiver.asked
    assert (body["enrichment"]["stock"], body["enrichment"]["failed"]) == ({"order": ORDER}, ["orders"])
    assert (len(orders.asked), len(stock.asked)) == (0, 2)


def test_alerts_of_one_transaction_ask_once(shop: Workshop, orders: Orders, receiver: Orders) -> None:
    """An answer is good for every alert of the transaction, and not for another."""
    push(shop, ALERT)
    station = Station(shop, open_remotes(shop.configuration))
    assert finish(shop, station) == {"enriched": 1}
    push(shop, ALERT | {"providerId": "A2"}, ALERT | {"providerId": "A3", "amount": "7.00"})
    assert finish(shop, station) == {"enriched": 2}
    station.close()
    assert [question["alert"]["provider_alert_id"] for question in orders.asked] == ["A1", "A3"]


def test_alert_that_changes_while_it_is_asked_about_is_asked_again(
    shop: Workshop, orders: Orders, receiver: Orders, query: Query
) -> None:
    """An answer about what the alert was is not taken; the new one goes into both events, in their order."""
    shop = tuned(shop, orders, PATIENT, timeout=15.0)
    orders.open.clear()
    push(shop, ALERT)
    verdicts: dict[str, int] = {}
    asking = threading.Thread(target=lambda: verdicts.update(run_station(shop)))
    asking.start()
    wait_for(lambda: orders.asked)
    push(shop, ALERT | {"merchantOrderId": "O-8", "status": "RESOLVED"}, event="alert.resolved")
    orders.open.set()
    asking.join()
    assert verdicts == {"changed": 1, "enriched": 1}
    assert [question["alert"]["merchant"]["order_id"] for question in orders.asked] == ["O-7", "O-8"]
    deliver(shop, 2)
    assert [body["event"] for body in receiver.asked] == ["alert.created", "alert.resolved"]
    assert [body["enrichment"]["orders"] for body in receiver.asked] == [{"order": ORDER}] * 2


def test_killed_worker_leaves_its_alerts_to_the_next(shop: Workshop, orders: Orders, query: Query) -> None:
    """What a worker had leased when it died is enriched when its lease ends."""
    push(shop, ALERT)
    with connect_database(shop.database_url, "test") as database:
        assert len(lease_waiting(database, 10, 0.5)) == 1
        assert lease_waiting(database, 10, 0.5) == []
    assert run_station(shop) == {"enriched": 1}


def test_without_remote_enrichers_nothing_waits(workshop: Workshop, shop: Workshop, query: Query) -> None:
    """Nothing is held, noted or marked when none is configured."""
    push(workshop, ALERT)
    assert query("SELECT held, due_at <= now() AS due FROM outbox") == [{"held": False, "due": True}]
    assert query("SELECT FROM enrichments") == []
    (alert,) = query("SELECT enrichment FROM alerts")
    assert "pending" not in alert["enrichment"]


def test_answers_and_revisions_do_not_overwrite_each_other(
    shop: Workshop, orders: Orders, receiver: Orders, query: Query
) -> None:
    """While alerts are revised again and again, each ends with its last status, its order, and nothing waiting."""
    orders.delay = 0.005
    names = [f"A{number}" for number in range(12)]
    done = threading.Event()

    def keep_enriching() -> None:
        while not done.is_set():
            run_station(shop)

    with ExitStack() as stack:
        asking = threading.Thread(target=keep_enriching)
        asking.start()
        stack.callback(asking.join)
        stack.callback(done.set)
        for turn in range(15):
            push(shop, *(ALERT | {"providerId": name, "issuer": f"BANK {turn}"} for name in names))
    assert run_station(shop).keys() <= {"enriched"}
    rows = query("SELECT issuer, enrichment FROM alerts")
    assert [row["issuer"] for row in rows] == ["BANK 14"] * 12
    assert all(row["enrichment"]["orders"] == {"order": ORDER} for row in rows)
    assert query("SELECT FROM alerts WHERE enrichment ?| '{pending,failed}'") == []
    assert query("SELECT FROM events WHERE alert->'enrichment' ?| '{pending,failed}'") == []
    assert query("SELECT FROM outbox WHERE held OR due_at > now()") == []
    assert query("SELECT FROM enrichments") == []
