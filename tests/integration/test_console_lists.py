"""Every list of the console reads no more than it shows, on a real PostgreSQL with a month of alerts.

An index alone is no proof: a walk along one that throws away what it reads goes by index, too. So the months here are
built against each list: what it asks for is rare, and lies where a walk would come last.
"""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import dict_row

from console.alerts.queries import Order, Wanted, list_alerts
from console.alerts.search import Search, search_alerts
from console.downstream.deliveries import STATES, Sought, UnboundedSearch, list_deliveries, make_bound
from console.downstream.listing import list_subscriptions, read_subscription
from console.paging import MAX_LIMIT
from console.rejections.queries import Sought as Rejections
from console.rejections.queries import list_rejections
from schemas.keyring import Keyring
from tests.integration.explaining import Explaining, fill_month, list_discarded, list_read

if TYPE_CHECKING:
    from deploy.embedded.engine import Server

ALERTS = 20_000
SHOWN = 20
# Rows that a page may read for nothing.
FEW = 300
KEYRING = Keyring([b"k" * 32], b"m" * 32)
RARE = """
    UPDATE alerts SET kind = 'confirmed_fraud', status = 'chargeback' WHERE position <= 5;
    UPDATE alerts SET kind = 'other', status = 'won' WHERE position > 19995;
    UPDATE outbox SET state = 'delivered';
    UPDATE outbox SET state = 'given_up' WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT 5);
    UPDATE outbox SET state = 'due' WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT 5 OFFSET 5);
    UPDATE outbox SET subscription_id = (SELECT id FROM subscriptions WHERE name = 'service-2')
    WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT 3 OFFSET 3);
"""


# Deliveries that are unlike the others, of all times: by their event, by their last attempt, by the one before it.
ODD = """
    UPDATE events SET type = 'alert.resolved' WHERE position % 7 = 0;
    UPDATE outbox SET state = 'given_up' WHERE position % 3 = 0;
    UPDATE attempts a SET status = 500 FROM outbox o WHERE o.id = a.outbox_id AND o.position % 5 = 0;
    UPDATE attempts a SET status = NULL, error = 'ReadTimeout'
    FROM outbox o WHERE o.id = a.outbox_id AND o.position % 4 = 0;
    INSERT INTO attempts (attempted_at, outbox_id, subscription_id, alert_id, number, status, milliseconds)
    SELECT attempted_at + interval '1 second', outbox_id, subscription_id, alert_id, 2, 200, 1 FROM attempts
    WHERE status = 500 AND right(outbox_id::text, 1) < '4';
"""
PLAIN = """
    SELECT o.id FROM outbox o JOIN events v ON v.id = o.event_id
    JOIN (SELECT DISTINCT ON (outbox_id) * FROM attempts ORDER BY outbox_id, attempted_at DESC) a ON a.outbox_id = o.id
    WHERE o.state = coalesce(%(state)s, o.state) AND o.created_at >= %(since)s AND o.created_at < %(until)s AND {plain}
    ORDER BY o.id DESC
"""


@pytest.fixture(scope="module")
def month(postgres_server: "Server") -> Iterator[str]:
    """Return the address of a database that has run for a month, in which what is rare came first or last."""
    with fill_month(postgres_server.url, ALERTS) as url:
        with psycopg.connect(url, autocommit=True) as database:
            database.execute(RARE)
            database.execute("VACUUM (ANALYZE)")
        yield url


@pytest.fixture
def database(month: str) -> Iterator[Explaining]:
    """Return a connection that notes its plans."""
    with Explaining.connect(month, autocommit=True, row_factory=dict_row) as connection:
        connection.plans = []
        yield connection


NOW = datetime.now(UTC)
DAY = {"received_after": NOW - timedelta(days=15), "received_before": NOW - timedelta(days=14)}
RARE_ALERTS = [
    {"status": "chargeback"}, {"status": "won"}, {"kind": "confirmed_fraud", "status": "chargeback"},
    {"provider": "verifi", "status": "chargeback"}, {"provider": "VERIFI", "kind": "other"}, {"kind": "nothing"},
    {"provider": "nothing"}, {"status": "chargeback", "received_after": NOW - timedelta(days=40)},
    {"status": "won", "received_before": NOW - timedelta(days=1)}, {"kind": "other", "status": "won", **DAY},
    {"kind": "other", **DAY}, {"merchant_id": "M0", **DAY}, {"merchant_id": "nobody"},
    {"status": "open", "received_before": NOW - timedelta(days=40)},
    {"status": "open", "received_after": NOW + timedelta(days=40)},
    {"provider_alert_id": "BENCH00000000000000000777", "kind": "confirmed_fraud"},
]  # fmt: skip


@pytest.mark.parametrize("order", ["oldest", "newest"])
@pytest.mark.parametrize("asked", RARE_ALERTS, ids=" ".join)
def test_filtered_alerts_are_exact_and_read_alone(database: Explaining, asked: dict[str, Any], order: Order) -> None:
    """Page by page what a plain query gives, in the same order; beside that no more is read than a day's alerts."""
    plain = """
        SELECT id::text FROM alerts
        WHERE (%(provider)s::text IS NULL OR network = lower(%(provider)s)) AND kind = coalesce(%(kind)s, kind)
          AND status = coalesce(%(status)s, status) AND merchant_id = coalesce(%(merchant_id)s, merchant_id)
          AND provider_alert_id = coalesce(%(provider_alert_id)s, provider_alert_id)
          AND received_at >= coalesce(%(received_after)s::timestamptz, '-infinity')
          AND received_at < coalesce(%(received_before)s::timestamptz, 'infinity')
        ORDER BY position
    """
    wanted = Wanted(**asked)
    expected = [row["id"] for row in database.execute(plain, asdict(wanted)).fetchall()]
    found: list[str] = []
    cursor = None
    while True:
        page = list_alerts(database, wanted, 500, cursor, order)
        found += [row["id"] for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert (found if order == "oldest" else found[::-1]) == expected
    database.plans.clear()
    list_alerts(database, wanted, SHOWN, None, order)
    # Of a day that is asked for in part the rest is passed over, twice: where it begins, and where it ends.
    assert database.count_discarded() < (
        2 * ALERTS / 30 if asked.keys() & {"received_after", "received_before"} else FEW
    )


def test_what_was_frequent_once_is_read_alone(database: Explaining) -> None:
    """A fifth of all alerts, all of them long ago: the list of the latest does not begin with what came since."""
    with database.transaction(force_rollback=True):
        database.execute("UPDATE alerts SET kind = 'once', merchant_id = 'once' WHERE position <= %s", [ALERTS // 5])
        database.execute("UPDATE alerts SET kind = 'since', merchant_id = 'since' WHERE position > %s", [ALERTS // 5])
        database.execute("ANALYZE alerts")
        walks: list[tuple[Order, str]] = [("newest", "once"), ("oldest", "since")]
        for order, name in walks:
            for wanted in (Wanted(kind=name), Wanted(kind=name, provider="ethoca"), Wanted(merchant_id=name)):
                database.plans.clear()
                assert len(list_alerts(database, wanted, SHOWN, None, order).rows) == SHOWN
                assert database.count_discarded() < FEW, wanted
        for search in (Search(kind="once"), Search(term="once")):
            database.plans.clear()
            assert len(search_alerts(database, search, "newest", SHOWN).rows) == SHOWN
            assert database.count_discarded() < FEW, search


def test_alert_that_came_late_is_found_by_its_time(database: Explaining) -> None:
    """One that was received early and stored last lies far from the others of its day, and is listed after them."""
    with database.transaction(force_rollback=True):
        database.execute("UPDATE alerts SET received_at = %s WHERE position = %s", [DAY["received_after"], ALERTS])
        for order in ("oldest", "newest"):
            wanted = Wanted(status="won", received_after=DAY["received_after"], received_before=DAY["received_before"])
            (row,) = list_alerts(database, wanted, SHOWN, None, order).rows
            assert row["provider_alert_id"] == f"BENCH{ALERTS:020}"


@pytest.mark.parametrize("state", [None, *STATES])
@pytest.mark.parametrize("subscription", [None, "service-1", "service-2", "service-3", "nobody"])
@pytest.mark.parametrize("days", [None, 25, 400])
def test_deliveries_are_exact_and_read_alone(
    database: Explaining, state: str | None, subscription: str | None, days: int | None
) -> None:
    """Those that are rare and old are found without a walk through all that were delivered since."""
    times: dict[str, Any] = (
        {} if days is None else {"since": NOW - timedelta(days=days), "until": NOW - timedelta(days=days - 1)}
    )
    sought = Sought(state, subscription, **times)
    plain = """
        SELECT o.id FROM outbox o JOIN subscriptions s ON s.id = o.subscription_id
        WHERE o.state = coalesce(%(state)s, o.state) AND s.name = coalesce(%(subscription)s, s.name)
          AND o.created_at >= coalesce(%(since)s::timestamptz, '-infinity')
          AND o.created_at < coalesce(%(until)s::timestamptz, 'infinity')
        ORDER BY o.id DESC LIMIT 50
    """
    expected = [row["id"] for row in database.execute(plain, asdict(sought)).fetchall()]
    database.plans.clear()
    first = list_deliveries(database, sought, SHOWN)
    assert database.count_discarded() < (FEW if days is None else 2 * ALERTS / 30)
    found = first.rows
    if first.next_cursor:
        found += list_deliveries(database, sought, 30, first.next_cursor).rows
    assert [row["id"] for row in found] == expected


@pytest.mark.parametrize("state", [None, "given_up"])
@pytest.mark.parametrize(
    ("asked", "plain"),
    [
        ({"event": "alert.resolved"}, "v.type = 'alert.resolved'"),
        ({"last_status": 500}, "a.status = 500"),
        ({"last_error": "timeout"}, "a.error = 'ReadTimeout'"),
        ({"event": "alert.resolved", "last_status": 500}, "v.type = 'alert.resolved' AND a.status = 500"),
    ],
    ids=["event", "status", "error", "both"],
)
def test_deliveries_are_found_by_how_they_went(
    database: Explaining, state: str | None, asked: dict[str, Any], plain: str
) -> None:
    """By the last attempt alone, and among those of a time: none outside it is looked at. Of an alert all are there."""
    with database.transaction(force_rollback=True):
        database.execute(ODD)
        database.execute("ANALYZE events, outbox, attempts")
        times: dict[str, Any] = {"since": NOW - timedelta(days=25), "until": NOW - timedelta(days=24)}
        expected = database.execute(PLAIN.format(plain=plain).encode(), {"state": state, **times}).fetchall()
        database.plans.clear()
        found = list_deliveries(database, Sought(state, **times, **asked), MAX_LIMIT).rows
        assert [row["id"] for row in found] == [row["id"] for row in expected]
        assert found
        assert database.count_discarded() < 3 * ALERTS / 30
        alert_id = database.execute("SELECT alert_id FROM outbox ORDER BY id LIMIT 1 OFFSET 7").fetchone()["alert_id"]
        database.plans.clear()
        (row,) = list_deliveries(database, Sought(alert_id=alert_id)).rows
        assert row["alert_id"] == alert_id
        assert database.count_discarded() < FEW
    with pytest.raises(UnboundedSearch):
        list_deliveries(database, Sought(state, **asked))


def test_deliveries_given_up_long_ago_are_found_among_many(database: Explaining) -> None:
    """However many were given up, and however long ago: the list does not pass all that was delivered since."""
    with database.transaction(force_rollback=True):
        database.execute(
            "UPDATE outbox SET state = 'given_up' WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT %s)",
            [ALERTS // 4],
        )
        database.execute("ANALYZE outbox")
        for subscription in (None, "service-1", "service-2"):
            database.plans.clear()
            assert list_deliveries(database, Sought("given_up", subscription), SHOWN).rows
            assert database.count_discarded() < FEW


def test_delivery_of_a_wrong_clock_is_found_by_its_time(database: Explaining) -> None:
    """Its id is of the worker's clock, its time of the database's: hours between them do not matter."""
    since = NOW - timedelta(days=10)
    for off in (timedelta(hours=-20), timedelta(hours=20)):
        with database.transaction(force_rollback=True):
            wrong = make_bound(since, off)
            latest = database.execute("SELECT id FROM outbox ORDER BY id DESC LIMIT 1").fetchone()["id"]
            database.execute("UPDATE outbox SET id = %s, created_at = %s WHERE id = %s", [wrong, since, latest])
            sought = Sought(since=since, until=since + timedelta(seconds=1))
            assert [row["id"] for row in list_deliveries(database, sought).rows][:1] == [wrong]


def test_other_lists_read_no_more_than_they_show(database: Explaining) -> None:
    """Subscriptions, one of them, its latest deliveries; rejections that are open, of a time, of every state."""
    list_subscriptions(database, SHOWN)
    read_subscription(database, "service-1", KEYRING, 100)
    for minutes, state in product((None, 9), (None, "open")):
        since, until = (None if minutes is None else NOW - timedelta(minutes=minutes + more) for more in (1, 0))
        list_rejections(database, Rejections(state=state, since=since, until=until), SHOWN)
    assert len(database.plans) >= 7
    assert max(sum(list_discarded(plan)) for plan in database.plans) < FEW


def test_one_subscription_is_counted_up_to_a_bound(database: Explaining) -> None:
    """Neither a page that is drawn every few seconds nor the API counts a backlog to its end; the command does."""
    with database.transaction(force_rollback=True):
        database.execute("UPDATE outbox SET state = 'due'")
        database.plans.clear()
        assert read_subscription(database, "service-1", KEYRING, 100)["due"] == 100
        assert max(rows for plan in database.plans for rows in list_read(plan)) <= 100
        assert read_subscription(database, "service-1", KEYRING)["due"] == ALERTS - 3
