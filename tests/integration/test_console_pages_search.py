"""What the pages ask, on a real PostgreSQL with a month of alerts: right, and by index however many there are."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
import redis
from psycopg import sql
from psycopg.rows import dict_row

from console.alerts.queries import Order as ListOrder
from console.alerts.queries import Wanted, list_alerts
from console.alerts.search import Search, read_alerts, search_alerts
from console.alerts.story import read_alert
from console.alerts.triples import UNANSWERED, Order, count_due, list_triples
from console.books.present import BOUND, count_present
from console.books.samples import count_journal, read_samples, save_sample
from console.connections import Database
from console.downstream.health import SELECT_HEALTH, list_health, list_latest
from console.paging import BadCursor
from schemas.settings.journal import Journal
from tests.integration.explaining import Explaining, count_rows, fill_month, list_discarded, list_scans

if TYPE_CHECKING:
    from deploy.embedded.engine import Server

ALERTS = 20_000
# Of these there are many: none may be read from end to end.
LARGE = ("alerts", "outbox", "attempts", "events", "receipts", "endings", "revisions")


@pytest.fixture(scope="module")
def month(postgres_server: "Server") -> Iterator[str]:
    """Return the address of a database that has run for a month."""
    with fill_month(postgres_server.url, ALERTS) as url:
        yield url


@pytest.fixture
def database(month: str) -> Iterator[Explaining]:
    """Return a connection that notes its plans."""
    with Explaining.connect(month, autocommit=True, row_factory=dict_row) as connection:
        connection.plans = []
        yield connection


def walk(database: Database, search: Search, order: Order, limit: int) -> list[str]:
    """Return the ids of all that is found, page by page."""
    found: list[str] = []
    cursor = None
    while True:
        page = search_alerts(database, search, order, limit, cursor)
        found += [row["id"] for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("order", ["newest", "soonest"])
@pytest.mark.parametrize(
    ("search", "condition"),
    [
        (Search(kind="other", statuses=("refunded",)), "kind = 'other' AND status = 'refunded'"),
        (
            Search(network="VERIFI", statuses=("open", "resolved")),
            "network = 'verifi' AND status IN ('open', 'resolved')",
        ),
        (Search(statuses=("chargeback",)), "false"),
    ],
)  # fmt: skip
def test_walk_finds_exactly_what_fits(database: Explaining, search: Search, condition: str, order: Order) -> None:
    """Page by page, merged from all triples, the list is the one that a plain query gives, in the same order."""
    by = "position DESC" if order == "newest" else "respond_by, position"
    plain = sql.SQL("SELECT id::text FROM alerts WHERE {condition} ORDER BY {by}")
    wanted = database.execute(plain.format(condition=sql.SQL(condition), by=sql.SQL(by))).fetchall()
    assert walk(database, search, order, 300) == [row["id"] for row in wanted]
    assert (condition == "false") == (not wanted)


def test_soonest_begins_after_the_given_moment(database: Explaining) -> None:
    """Only deadlines ahead, the next one first; and so many are counted as there are."""
    now = datetime.now(UTC)
    found = walk(database, Search(statuses=UNANSWERED, due_after=now), "soonest", 100)
    wanted = database.execute(
        "SELECT id::text FROM alerts WHERE status = 'open' AND respond_by > %s ORDER BY respond_by, position", [now]
    ).fetchall()
    assert found == [row["id"] for row in wanted]
    ahead = database.execute(
        "SELECT count(*) FROM alerts WHERE status = 'open' AND respond_by BETWEEN now() AND now() + interval '4 hours'"
    ).fetchone()["count"]
    assert abs(count_due(database, 4 * 3600, BOUND) - ahead) <= 2  # time went on
    assert ahead > 50


@pytest.mark.parametrize("column", ["provider_alert_id", "arn", "merchant_order_id", "transaction_id", "id"])
def test_alert_is_found_by_each_of_its_names(database: Explaining, column: str) -> None:
    """Whatever somebody on the phone can name leads to the one alert, in either order."""
    plain = sql.SQL("SELECT id::text, {column}::text AS name FROM alerts WHERE position = 777")
    row = database.execute(plain.format(column=sql.Identifier(column))).fetchone()
    for order in ("newest", "soonest"):
        assert walk(database, Search(term=row["name"]), order, 10) == [row["id"]]
    assert walk(database, Search(term=row["name"], kind="none"), "newest", 10) == []


@pytest.mark.parametrize("column", ["card_last4", "merchant_id"])
def test_names_that_many_share_are_walked_newest_first(database: Explaining, column: str) -> None:
    """The last four digits and a merchant lead to all of theirs, page by page."""
    own = {"column": sql.Identifier(column)}
    plain = sql.SQL("SELECT {column} AS name FROM alerts WHERE position = 100").format(**own)
    term = database.execute(plain).fetchone()["name"]
    every = sql.SQL("SELECT id::text FROM alerts WHERE {column} = %s ORDER BY position DESC").format(**own)
    wanted = database.execute(every, [term])
    assert walk(database, Search(term=term), "newest", 1) == [row["id"] for row in wanted]


def test_foreign_cursor_is_refused(database: Explaining) -> None:
    """A cursor of one order is none of the other."""
    page = search_alerts(database, Search(), "newest", 5)
    assert page.next_cursor
    with pytest.raises(BadCursor):
        search_alerts(database, Search(), "soonest", 5, page.next_cursor)


def test_nothing_large_is_read_from_end_to_end(database: Explaining) -> None:
    """Every query of every page goes by index: no sequential scan on anything that grows with the alerts."""
    now = datetime.now(UTC)
    (some,) = search_alerts(database, Search(), "newest", 1).rows
    searches = [
        Search(), Search(kind="other"), Search(network="verifi", statuses=("chargeback",)), Search(statuses=UNANSWERED),
        Search(statuses=UNANSWERED, due_after=now), Search(term="1234"), Search(term=some["id"]), Search(term="M0"),
        Search(term="M0", kind="other", statuses=("refunded",)), Search(term="nothing has this name"),
    ]  # fmt: skip
    for search in searches:
        for order in ("newest", "soonest"):
            cursor = search_alerts(database, search, order, 20).next_cursor
            search_alerts(database, search, order, 20, cursor)
    list_triples(database)
    count_due(database, 4 * 3600, BOUND)
    count_present(database)
    read_alert(database, some["id"])
    read_alerts(database, [some["id"]])
    for subscription in list_health(database):
        list_latest(database, str(subscription["id"]))
        list_latest(database, str(subscription["id"]), "given_up")
    save_sample(database, None)
    read_samples(database, 3600)
    scans = [scan for plan in database.plans for scan in list_scans(plan)]
    assert len(scans) > 200
    whole = {relation for kind, relation in scans if kind == "Seq Scan" and relation.startswith(LARGE)}
    assert {relation for relation in whole if count_rows(database, relation) > 100} == set()


def test_search_reads_no_more_than_it_shows(database: Explaining) -> None:
    """Nothing is read to be thrown away; of a merchant's alerts beside a filter, no other merchant's."""
    searches = [
        Search(), Search(kind="other"), Search(network="verifi", statuses=("chargeback",)), Search(statuses=UNANSWERED),
        Search(statuses=UNANSWERED, due_after=datetime.now(UTC)), Search(term="1234"), Search(term="M0"),
    ]  # fmt: skip
    for search in searches:
        for order in ("newest", "soonest"):
            database.plans.clear()
            search_alerts(database, search, order, 20)
            assert database.count_discarded() < 50
    database.plans.clear()
    search_alerts(database, Search(term="M0", kind="nothing"), "newest", 20)
    own = database.execute("SELECT count(*) FROM alerts WHERE merchant_id = 'M0'").fetchone()["count"]
    assert sum(list_discarded(database.plans[0])) <= own < ALERTS / 4


def test_health_reads_no_more_than_it_shows(database: Explaining) -> None:
    """A subscription that never had a delivery costs no walk through those of the others."""
    values = {"bound": BOUND + 1, "limit": 500}
    explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {SELECT_HEALTH}".encode()
    (row,) = psycopg.Connection.execute(database, explain, values, prepare=False).fetchall()
    assert sum(list_discarded(row["QUERY PLAN"][0]["Plan"])) < 100


def test_present_is_counted_as_it_is(database: Explaining) -> None:
    """The numbers of the first page are those of the tables."""
    present = count_present(database)
    assert present["stored"] == ALERTS
    assert present["given_up"] == ALERTS / 500
    assert present["due"] == ALERTS / 100
    assert present["halted"] == present["subscriptions"] == 5
    (health, *rest) = list_health(database)
    assert (health["name"], health["due"], health["given_up"]) == ("service-1", ALERTS / 100, ALERTS / 500)
    assert health["last_status"] in (200, 503)
    assert all(one["due"] == 0 and one["last_at"] is None for one in rest)
    assert {one["state"] for one in list_latest(database, str(health["id"]), "given_up")} == {"given_up"}


def test_sample_of_a_moment_is_taken_once(database_url: str, journal_url: str) -> None:
    """Two consoles that sample at one moment make one sample, of the journal's counters and of what was attempted."""
    settings = Journal()
    with (
        psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as database,
        redis.Redis.from_url(journal_url, protocol=2) as client,
    ):
        assert count_journal(client, settings) == {"incarnation": None, "added": 0, "entries": 0, "oldest": 0.0}
        for _ in range(3):
            client.xadd(settings.stream, {"b": "x"})
        counted = count_journal(client, settings)
        assert (counted["added"], counted["entries"]) == (3, 3)
        assert 0 <= counted["oldest"] < 60
        for status in (200, 204, 503, None):
            database.execute(
                "INSERT INTO attempts (attempted_at, outbox_id, subscription_id, alert_id, number, status,"
                " milliseconds) VALUES (date_bin('5 seconds', now(), 'epoch') - interval '4 seconds',"
                " gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, %s, 1)",
                [status],
            )
        with database.transaction():  # its moment is the same for both
            save_sample(database, counted)
            save_sample(database, counted | {"added": 99})
        (sample,) = read_samples(database, 3600)
        assert (sample.added, sample.entries, sample.delivered, sample.failed) == (3, 3, 2, 2)
        database.execute("UPDATE samples SET at = at - interval '5 hours'")
        save_sample(database, None)
        assert [(one.added, one.delivered) for one in read_samples(database, 3600)] == [(None, 2)]
        assert database.execute("SELECT count(*) FROM samples").fetchall() == [{"count": 1}]


@pytest.mark.parametrize("order", ["oldest", "newest"])
@pytest.mark.parametrize(("after", "before"), [(20.4, None), (None, 9.7), (20.4, 9.7), (3000.0, None)])
def test_list_of_a_time_is_exact_and_by_index(
    database: Explaining, order: ListOrder, after: float | None, before: float | None
) -> None:
    """Page by page the list of a time (in days ago) is the one that a plain query gives, and is read by its index."""
    now = datetime.now(UTC)
    bounds = [None if days is None else now - timedelta(days=days) for days in (after, before)]
    wanted = database.execute(
        "SELECT id::text FROM alerts WHERE received_at >= coalesce(%s::timestamptz, '-infinity') AND received_at"
        " < coalesce(%s::timestamptz, 'infinity') ORDER BY position",
        bounds,
    ).fetchall()
    found: list[str] = []
    cursor = None
    while True:
        page = list_alerts(database, Wanted(received_after=bounds[0], received_before=bounds[1]), 500, cursor, order)
        found += [row["id"] for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert wanted
    assert (found if order == "oldest" else found[::-1]) == [row["id"] for row in wanted]
    database.plans.clear()
    list_alerts(database, Wanted(received_after=bounds[0], received_before=bounds[1]), 20, None, order)
    read = {scan for plan in database.plans for scan in list_scans(plan)}
    assert ("Seq Scan", "alerts") not in read
    assert ("Index Only Scan", "alerts") in read
