"""The pages as a browser asks for them: who may do what, what is escaped, and that they stand when servers do not."""

import json
import re
import time
from collections.abc import Iterator
from html import unescape

import pytest
import redis
import requests
from uuid_utils.compat import uuid7

from schemas.journal.append import connect_journal
from tests.integration.console_server import Client
from tests.integration.console_site import Site, run_site

NOBODYS = "00000000-0000-0000-0000-000000000000"
HOSTILE = '<script>alert("x")</script>'
INSERT_ALERT = """
    INSERT INTO alerts (id, network, provider_alert_id, source, kind, status, revision, duplicates, repaired, issuer,
                        merchant_name, received_at, enrichment, details, problems, seen, standing)
    VALUES (%(id)s, %(hostile)s, %(hostile)s, %(hostile)s, 'other', %(hostile)s, 1, 0, false, %(hostile)s, %(hostile)s,
            now(), %(document)s, %(document)s, %(problems)s, '{}', '{}')
"""
INSERT_REJECTION = """
    INSERT INTO rejections (id, entered_at, sequence, incarnation, item, source, request_id, received_at, reason, why)
    VALUES (%(id)s, now(), 1, gen_random_uuid(), 0, %(hostile)s, gen_random_uuid(), now(), 'no_alert_id', %(hostile)s)
"""
INSERT_SUBSCRIPTION = """
    INSERT INTO subscriptions (id, name, url, description, sealed) VALUES (%(id)s, %(hostile)s, 'https://x.example/',
                                                                           %(hostile)s, '')
"""

FILL_STORY = (
    """
    INSERT INTO receipts (entered_at, sequence, incarnation, source)
    SELECT date_trunc('minute', now()), n, %(event)s, 'ethoca' FROM generate_series(1, 10000) n
    """,
    """
    INSERT INTO endings (entered_at, sequence, incarnation, item, ending, alert_id)
    SELECT date_trunc('minute', now()), n, %(event)s, 0, 'duplicate', %(alert)s FROM generate_series(1, 10000) n
    """,
    """
    INSERT INTO revisions (changed_at, alert_id, revision, source, changes)
    SELECT now(), %(alert)s, n, 'ethoca', '{}' FROM generate_series(1, 500) n
    """,
    """
    INSERT INTO events (id, alert_id, type, revision, alert) VALUES (%(event)s, %(alert)s, 'alert.created', 1, '{}')
    """,
    """
    INSERT INTO outbox (id, event_id, subscription_id, alert_id, state, ended_at)
    SELECT %(item)s, %(event)s, id, %(alert)s, 'delivered', now() FROM subscriptions LIMIT 1
    """,
    """
    INSERT INTO attempts (attempted_at, outbox_id, subscription_id, alert_id, number, milliseconds)
    SELECT now(), %(item)s, %(item)s, %(alert)s, n, 1 FROM generate_series(1, 500) n
    """,
)
EMPTY_STORY = (
    "DELETE FROM attempts WHERE outbox_id = %(item)s",
    "DELETE FROM outbox WHERE id = %(item)s",
    "DELETE FROM events WHERE id = %(event)s",
    "DELETE FROM revisions WHERE alert_id = %(alert)s",
    "DELETE FROM endings WHERE alert_id = %(alert)s",
    "DELETE FROM receipts WHERE incarnation = %(event)s",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Site]:
    """Run one console for all tests here."""
    with run_site(tmp_path_factory.mktemp("pages"), request) as running:
        yield running


@pytest.fixture(scope="module")
def hostile(site: Site) -> list[str]:
    """Store an alert, a rejection and a subscription made of markup, and return their pages and the lists of them."""
    ids = {name: str(uuid7()) for name in ("alerts", "rejections", "subscriptions")}
    values = {"hostile": HOSTILE, "document": json.dumps({"issuer": HOSTILE, HOSTILE: {HOSTILE: HOSTILE}}),
              "problems": json.dumps([{"field": HOSTILE, "value": HOSTILE, "why": HOSTILE}])}  # fmt: skip
    for statement, name in ((INSERT_ALERT, "alerts"), (INSERT_REJECTION, "rejections"),
                            (INSERT_SUBSCRIPTION, "subscriptions")):  # fmt: skip
        site.database.execute(statement.encode(), values | {"id": ids[name]})
    return [
        "/",
        *(f"/{name}" for name in ids),
        *(f"/{name}/{one}" for name, one in ids.items()),
        f"/alerts?q={HOSTILE}",
    ]


def sign_in(client: Client, token: str) -> requests.Session:
    """Return a browser's session of somebody with the token."""
    browser = requests.Session()
    browser.headers["Accept"] = "text/html"
    form = browser.get(client.url + "/sign-in", timeout=20).text
    answer = browser.post(client.url + "/sign-in", {"token": token, "csrf_token": find_field(form)}, timeout=20)
    assert answer.url == client.url + "/"
    return browser


def find_field(page: str) -> str:
    """Return the anti-forgery token of a page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found
    return unescape(found[1])


def test_markup_from_senders_stays_text(site: Site, hostile: list[str]) -> None:
    """Whatever a sender writes into an alert, and an operator into a name, is shown and never becomes markup."""
    browser = sign_in(site.client, site.client.token)
    for path in hostile:
        answer = browser.get(site.client.url + path, timeout=20)
        assert answer.status_code == 200, path
        assert "<script>alert" not in answer.text, path
        assert "&lt;script&gt;alert" in answer.text, path


def test_reader_is_shown_no_button_and_can_press_none(site: Site, hostile: list[str]) -> None:
    """Who may only look sees why there is nothing to press, and is refused what is asked for all the same."""
    browser = sign_in(site.client, site.add_token("watcher", "read"))
    subscription, rejection = (next(path for path in hostile if path.startswith(f"/{name}/"))
                               for name in ("subscriptions", "rejections"))  # fmt: skip
    field = {}
    for path in (subscription, rejection):
        page = browser.get(site.client.url + path, timeout=20).text
        assert "sign in with a token that may operate" in page
        assert not re.search(r"<button[^>]*>(Pause|Resume|Discard|Replay)", page)
        field = {"csrf_token": find_field(page), "note": "no"}
    for path in (
        f"{subscription}/pause",
        f"{rejection}/discard",
        f"{rejection}/replay",
        f"/deliveries/{NOBODYS}/retry",
    ):
        assert browser.post(site.client.url + path, field, timeout=20).status_code == 403, path
    assert site.database.execute("SELECT count(*) FROM operations WHERE action <> 'add token'").fetchall() == [
        {"count": 0}
    ]


def test_alert_that_came_ten_thousand_times_is_told_in_part(site: Site, hostile: list[str]) -> None:
    """Its page and the API give the first and the latest pushes and attempts, say what is between, and stay small."""
    path = next(path for path in hostile if path.startswith("/alerts/"))
    own = path.rpartition("/")[2]
    ids = {"alert": own, "event": str(uuid7()), "item": str(uuid7())}
    for statement in FILL_STORY:
        site.database.execute(statement, ids)
    story = site.client.get(f"/v1{path}")
    assert story["left_out"] == {"revisions": 300, "receipts": 9_800, "deliveries": 0}
    assert [receipt["entry_id"].partition("-")[2] for receipt in story["receipts"]] == [
        str(number) for number in (*range(1, 21), *range(9_821, 10_001))
    ]
    assert [revision["revision"] for revision in story["revisions"]] == [*range(1, 21), *range(321, 501)]
    assert [attempt["number"] for attempt in story["deliveries"][0]["log"]] == [*range(451, 501)]
    page = sign_in(site.client, site.client.token).get(site.client.url + path, timeout=20).text
    assert "9,800 more pushes are not shown here" in page
    assert "300 more revisions are not shown here" in page
    assert len(page) < 1_000_000
    assert 'hx-get="' + path not in page
    for statement in EMPTY_STORY:
        site.database.execute(statement, ids)
    assert 'hx-get="' + path in sign_in(site.client, site.client.token).get(site.client.url + path, timeout=20).text


def test_form_of_another_page_changes_nothing(site: Site, hostile: list[str]) -> None:
    """Without the page's own token, or from another site, nothing is done, though the cookie is right."""
    browser = sign_in(site.client, site.client.token)
    subscription = next(path for path in hostile if path.startswith("/subscriptions/"))
    field = {"csrf_token": find_field(browser.get(site.client.url + subscription, timeout=20).text)}
    press = f"{site.client.url}{subscription}/pause"
    assert browser.post(press, timeout=20).status_code == 403
    assert browser.post(press, field, headers={"Sec-Fetch-Site": "cross-site"}, timeout=20).status_code == 403
    assert site.database.execute("SELECT state FROM subscriptions").fetchall() == [{"state": "active"}]
    assert browser.post(press, field, timeout=20).status_code == 200
    assert site.database.execute("SELECT state FROM subscriptions").fetchall() == [{"state": "paused"}]
    done = site.database.execute("SELECT actor, action FROM operations WHERE action LIKE 'pause%'").fetchall()
    assert done == [{"actor": "console", "action": "pause subscription"}]
    assert browser.post(press.replace("pause", "resume"), field, timeout=20).status_code == 200


def test_page_says_who_paused_a_subscription(site: Site, hostile: list[str]) -> None:
    """A receiver that answered 410 is not called somebody's hand; and somebody's hand is."""
    browser = sign_in(site.client, site.client.token)
    path = next(path for path in hostile if path.startswith("/subscriptions/"))
    note = "INSERT INTO subscription_log (subscription_id, subscription, what, why) VALUES (%s, 'x', 'paused', %s)"
    site.database.execute("UPDATE subscriptions SET state = 'paused'")
    try:
        for why, said in (
            ("the receiver answered 410: gone", "Paused because the receiver answered 410: gone. Its events wait"),
            ("by hand", "Paused by hand. Its events wait"),
        ):
            site.database.execute(note.encode(), [path.rpartition("/")[2], why])
            assert said in browser.get(site.client.url + path, timeout=20).text
        site.database.execute("DELETE FROM subscription_log")
        assert "Paused. Its events wait" in browser.get(site.client.url + path, timeout=20).text
    finally:
        site.database.execute("UPDATE subscriptions SET state = 'active'")


def test_passed_deadlines_are_asked_for_where_they_count(site: Site) -> None:
    """The list of the latest has alerts of every deadline: only the list by deadline offers to show those passed."""
    browser = sign_in(site.client, site.client.token)
    for query, offered in (("", False), ("?sort=soonest", True), ("?sort=soonest&q=A1", False), ("?passed=yes", False)):
        page = browser.get(f"{site.client.url}/alerts{query}", timeout=20).text
        assert ("passed deadlines, too" in page) == offered, query


@pytest.mark.parametrize(
    ("path", "status"),
    [(f"/alerts/{NOBODYS}", 404), ("/alerts/A1", 404), (f"/rejections/{NOBODYS}", 404),
     (f"/subscriptions/{NOBODYS}", 404), ("/alerts?stauts=open", 400), ("/alerts?cursor=x", 400),
     ("/alerts?sort=soonest&cursor=WyJzZWFyY2ggbmV3ZXN0IiwxXQ", 400), ("/rejections?state=due", 400),
     ("/rejections?cursor=x", 400), ("/nothing", 404)],
)  # fmt: skip
def test_what_is_not_there_is_told_on_a_page(site: Site, path: str, status: int) -> None:
    """A wrong address leads to a page that says so, not to JSON."""
    answer = sign_in(site.client, site.client.token).get(site.client.url + path, timeout=20)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<h1>" in answer.text


def test_unbalanced_books_say_what_to_do(site: Site) -> None:
    """An entry that was deleted before it was settled is missed within seconds, on the first page, with the command."""
    browser = sign_in(site.client, site.client.token)
    with connect_journal(site.environment["JOURNAL_URL"], 5.0) as journal:
        journal.flushall()
        journal.xgroup_create("alert-intake:journal", "drain", mkstream=True)
        entry = journal.xadd("alert-intake:journal", {"b": "x"})
        site.database.execute(
            "INSERT INTO journals (incarnation, base, added) VALUES ('00000000-0000-4000-8000-000000000001', 0, 1)"
        )
        journal.set("alert-intake:journal:incarnation", "00000000-0000-4000-8000-000000000001")
        journal.xdel("alert-intake:journal", entry)
        try:
            page = wait_for_text(browser, site.client.url + "/", "The books do not balance")
            assert "alert-intake audit --acks" in page
            assert re.search(r"Missing in.*\n?.*>1<", page)
            page = wait_for_text(browser, site.client.url + "/", "No drain worker lives")  # looked at by itself
            assert "celery -A workers.app worker -Q drain" in page
        finally:
            journal.flushall()
            site.database.execute("DELETE FROM journals")


def wait_for_text(browser: requests.Session, url: str, text: str) -> str:
    """Load a page until it says something; return it."""
    deadline = time.monotonic() + 30
    while True:
        page = browser.get(url, timeout=20).text
        if text in page:
            return page
        assert time.monotonic() < deadline, page
        time.sleep(0.2)


def test_first_page_stands_when_the_journal_does_not(site: Site) -> None:
    """It says which server does not answer and what to do, and goes on showing the other's."""
    browser = sign_in(site.client, site.client.token)
    with redis.Redis.from_url(site.environment["JOURNAL_URL"], protocol=2) as journal:
        journal.execute_command("CLIENT", "PAUSE", "3000", "ALL")
    page = browser.get(site.client.url + "/", timeout=20).text
    assert "Latest" in page
    with redis.Redis.from_url(site.environment["JOURNAL_URL"], protocol=2) as journal:
        journal.set("alert-intake:journal", "no stream at all")
        try:
            page = browser.get(site.client.url + "/", timeout=20).text
            assert "The journal does not answer" in page
            assert "alert-intake doctor" in page
        finally:
            journal.delete("alert-intake:journal")
    assert "The journal does not answer" not in browser.get(site.client.url + "/", timeout=20).text
