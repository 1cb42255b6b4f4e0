"""How fast, how many at once, and that nobody waits for somebody else's receiver."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

import workers.delivery.pauses
from console.downstream.terms import LEAST_RATE
from schemas.settings.forwarding import Forwarding
from tests.integration.conftest import Query
from tests.integration.downstream import QUICK, Receiver, announce, deliver, end_leases, forward, subscribe, tuned
from workers.database.connections import connect_database
from workers.deadline import Deadline
from workers.delivery.forward import Forwarder
from workers.delivery.lease import lease_due
from workers.settings import Workshop


@contextmanager
def silent_server() -> Iterator[str]:
    """Accept connections and never answer on them."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


@contextmanager
def dripping_server(beginning: bytes, drip: bytes) -> Iterator[str]:
    """Answer every connection with `beginning`, and then one drip after the other until it is closed."""
    over = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                connection.sendall(beginning)
                while not over.wait(0.02):
                    connection.sendall(drip)
            except OSError:
                return

    def accept(listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,)).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=accept, args=(listening,))
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}/"
        over.set()
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    ("scheme", "beginning", "drip"),
    [
        ("http", b"", b"H"),
        ("http", b"HTTP/1.1 500 No\r\nX-Long: ", b"a"),
        ("https", b"\x16\x03\x03\x40\x00\x02", b"\0"),
    ],
    ids=["status line", "headers", "handshake"],
)
def test_an_answer_that_trickles_ends_at_the_timeout(
    workshop: Workshop, query: Query, scheme: str, beginning: bytes, drip: bytes
) -> None:
    """However slowly a receiver goes on answering, the attempt ends when its time is over, and comes again."""
    limited = tuned(workshop, Forwarding(schedule=(60,), timeout=0.4, allow_http=True, allow_private_addresses=True))
    with dripping_server(beginning, drip) as address:
        subscribe(limited, f"{scheme}://{address}")
        announce(limited, "alert.created")
        began = time.monotonic()
        assert deliver(limited, 1) == {"again": 1}
        assert time.monotonic() - began < 5
    (attempt,) = query("SELECT error, milliseconds FROM attempts")
    assert "Timeout" in attempt["error"] or "SSL" in attempt["error"]
    assert 300 < attempt["milliseconds"] < 3000


def test_a_body_that_trickles_does_not_take_back_the_status(workshop: Workshop, query: Query) -> None:
    """Who answered 200 has the delivery, whatever becomes of the body that was to follow."""
    limited = tuned(workshop, Forwarding(timeout=0.4, allow_http=True, allow_private_addresses=True))
    with dripping_server(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"ok ") as address:
        subscribe(limited, f"http://{address}")
        announce(limited, "alert.created")
        assert deliver(limited, 1) == {"done": 1}
    (attempt,) = query("SELECT answer, milliseconds FROM attempts")
    assert attempt["answer"].startswith("ok ok")
    assert attempt["milliseconds"] < 3000


def test_ten_hanging_receivers_delay_nobody(workshop: Workshop, receiver: Receiver) -> None:
    """With fewer places than the hanging subscriptions would take, the others get theirs, at once."""
    narrow = tuned(
        workshop,
        Forwarding(timeout=8, concurrency=16, schedule=(60,), allow_http=True, allow_private_addresses=True),
    )
    forwarder = Forwarder(narrow)
    with silent_server() as silent:
        for _ in range(10):
            subscribe(narrow, silent)
        for _ in range(20):
            announce(narrow, "alert.created")
        forwarder.run(0.5)  # now they hang, with more due to each
        subscribe(narrow, receiver.url)
        announced = [announce(narrow, "alert.created") for _ in range(20)]
        hanging_until = time.monotonic() + 7
        while len(receiver.received) < 20 and time.monotonic() < hanging_until:
            forwarder.run(0.25)
        assert sorted(receiver.alerts()) == sorted(announced)
        assert len(forwarder.threads.in_flight) >= 10  # those that hang, all the while
    forwarder.finish()


def test_what_hangs_at_the_end_of_a_run_is_recorded_by_the_next(
    workshop: Workshop, receiver: Receiver, query: Query
) -> None:
    """A run ends in time although a receiver is slow; the delivery counts when it is done."""
    slow = tuned(workshop, Forwarding(timeout=9, allow_http=True, allow_private_addresses=True))
    receiver.pause = 2.0
    subscribe(slow, receiver.url)
    announce(slow, "alert.created")
    forwarder = Forwarder(slow)
    began = time.monotonic()
    assert forwarder.run(0.3) == {}
    assert time.monotonic() - began < 1.9
    assert query("SELECT state FROM outbox") == [{"state": "due"}]
    assert forwarder.run(4.0) == {"done": 1}
    forwarder.finish()
    assert len(receiver.received) == 1


def test_slow_deliveries_hold_up_none_of_the_same_subscription(quick: Workshop, receiver: Receiver) -> None:
    """Where each takes half a second, sixteen are made in one, not in eight."""
    receiver.pause = 0.5
    subscribe(quick, receiver.url)
    for _ in range(16):
        announce(quick, "alert.created")
    assert deliver(quick, 16) == {"done": 16}
    assert receiver.busiest >= 12
    assert receiver.times[-1] - receiver.times[0] < 2


def test_more_subscriptions_than_places(workshop: Workshop, receiver: Receiver, query: Query) -> None:
    """Each gets one before any gets its second, and in the end all of them get all, once."""
    narrow = tuned(workshop, Forwarding(concurrency=4, allow_http=True, allow_private_addresses=True))
    for _ in range(30):
        subscribe(narrow, receiver.url)
    for _ in range(3):
        announce(narrow, "alert.created")
    with connect_database(narrow.database_url, "test") as database:
        first = [item for _ in range(8) for item in lease_due(database, 4, narrow.configuration.forwarding)]
        assert len({item.subscription_id for item in first}) == 30
        end_leases(database)
    assert deliver(narrow, 90) == {"done": 90}
    assert query("SELECT DISTINCT count(*) AS each FROM outbox GROUP BY subscription_id, state") == [{"each": 3}]
    assert len({headers["webhook-id"] for headers, _body in receiver.received}) == 90


@pytest.mark.parametrize("left_due", [0, 6], ids=["nothing left due", "more due"])
def test_several_that_leave_nothing_due_are_gathered(
    quick: Workshop, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, left_due: int
) -> None:
    """What is announced meanwhile waits with them for one turn; where more is due already that comes at once."""
    monkeypatch.setattr(workers.delivery.pauses, "GATHER", 2.0)
    subscribe(quick, receiver.url, concurrency=6)
    for _ in range(6 + left_due):
        announce(quick, "alert.created")
    forwarder = Forwarder(quick)
    with forwarder.line.listen() as database:
        assert forwarder.take_turn(database) == {}
        meanwhile = threading.Timer(1.0, announce, (quick, "alert.created"))
        meanwhile.start()
        forwarder.pauses.rest(database, Deadline(20))
        assert (time.monotonic() - forwarder.pauses.began >= 2.0) == (left_due == 0)
        meanwhile.join()
        if not left_due:
            assert forwarder.take_turn(database) == {"done": 6}
            assert len(forwarder.threads.in_flight) == 1
    forwarder.finish()


def test_a_subscription_has_no_more_at_once_than_its_concurrency(quick: Workshop, receiver: Receiver) -> None:
    """Two forwarders together keep to the limit."""
    receiver.pause = 0.05
    subscribe(quick, receiver.url, concurrency=2)
    for _ in range(12):
        announce(quick, "alert.created")

    def forward_all() -> None:
        until = time.monotonic() + 20
        while len(receiver.received) < 12 and time.monotonic() < until:
            forward(quick, 0.5)

    threads = [threading.Thread(target=forward_all) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receiver.received) == 12
    assert receiver.busiest == 2


def test_a_subscription_gets_no_more_a_second_than_its_rate(quick: Workshop, receiver: Receiver) -> None:
    """A backlog is sent evenly, at the rate and without coming to a stop, however many forwarders there are."""
    subscribe(quick, receiver.url, rate_limit=20)
    for _ in range(60):
        announce(quick, "alert.created")

    def forward_most() -> None:
        until = time.monotonic() + 20
        while len(receiver.received) < 40 and time.monotonic() < until:
            forward(quick, 0.5)

    threads = [threading.Thread(target=forward_most) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = receiver.times[0]
    for second in range(int(receiver.times[-1] - first) + 1):
        within = [moment for moment in receiver.times if second <= moment - first < second + 1]
        assert len(within) <= 23  # a tenth of a second's worth may come at once
    assert len(receiver.times) >= 40


def test_a_slow_rate_waits_for_its_next_moment(quick: Workshop, receiver: Receiver) -> None:
    """One delivery in two seconds is one in a run of one, and the loop does not spin meanwhile."""
    subscribe(quick, receiver.url, rate_limit=0.5)
    for _ in range(3):
        announce(quick, "alert.created")
    before = time.process_time()
    assert deliver(quick, 1) == {"done": 1}
    assert time.process_time() - before < 0.7


def test_the_least_rate_stops_nobody(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """One delivery a day is a rate like others; a smaller one, which would stop every lease, cannot be stored."""
    slow = subscribe(quick, receiver.url, rate_limit=LEAST_RATE)
    for _ in range(2):
        announce(quick, "alert.created")
    assert deliver(quick, 1) == {"done": 1}
    subscribe(quick, receiver.url)
    announce(quick, "alert.created")
    assert deliver(quick, 1) == {"done": 1}
    with pytest.raises(psycopg.errors.CheckViolation):
        query("UPDATE subscriptions SET rate_limit = 1e-14 WHERE id = %s RETURNING 1", slow)


def test_leases_are_shared_out_between_subscriptions(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """A subscription with an old backlog takes no place from those that have one item each."""
    backlog = subscribe(quick, receiver.url)
    for _ in range(30):
        announce(quick, "alert.created")
    others = [subscribe(quick, receiver.url) for _ in range(4)]
    announce(quick, "alert.created")
    with connect_database(quick.database_url, "test") as database:
        leased = [item.subscription_id for item in lease_due(database, 8, QUICK)]
    assert set(leased) == {backlog, *others}
    assert leased.count(backlog) <= 4


def test_a_failing_subscription_has_one_delivery_at_once(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """While the last attempt failed, the next one goes alone."""
    subscribe(quick, receiver.url, failures=1)
    for _ in range(5):
        announce(quick, "alert.created")
    with connect_database(quick.database_url, "test") as database:
        assert len(lease_due(database, 8, QUICK)) == 1
        assert lease_due(database, 8, QUICK) == []


def test_waiting_for_an_earlier_item_costs_nothing(quick: Workshop, receiver: Receiver) -> None:
    """While an alert's first event waits for its next attempt and the second for the first, the loop sleeps."""
    patient = tuned(quick, Forwarding(schedule=(60,), allow_http=True, allow_private_addresses=True))
    receiver.statuses = [500]
    subscribe(patient, receiver.url)
    announce(patient, "alert.created", "alert.updated")
    assert deliver(patient, 1) == {"again": 1}
    before = time.process_time()
    assert forward(patient, 1.5) == {}
    assert time.process_time() - before < 0.7


def test_a_held_row_delays_only_its_own_subscription(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """Somebody who holds the row of a metered subscription open keeps no other from being served."""
    metered = subscribe(quick, receiver.url, rate_limit=100)
    free = subscribe(quick, receiver.url)
    announce(quick, "alert.created")
    with connect_database(quick.database_url, "holder") as holder, holder.transaction():
        holder.execute("SELECT 1 FROM subscriptions WHERE id = %s FOR UPDATE", [metered])
        assert deliver(quick, 1) == {"done": 1}
        assert query("SELECT subscription_id::text FROM attempts") == [{"subscription_id": free}]
    assert deliver(quick, 1) == {"done": 1}
