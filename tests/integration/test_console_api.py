"""The console as downstream services and browsers see it: real gunicorn, real servers."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import requests

from console.downstream.subscriptions import add_subscription
from console.downstream.terms import Terms
from deploy.embedded.settings import Secrets
from schemas.downstream.subscription import Credentials, generate_secret
from schemas.journal.append import append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from tests.integration.console_server import Client, run_console
from workers.database.connections import connect_database
from workers.intake.drain import drain
from workers.settings import Workshop

CREATED = {
    "event": "alert.created",
    "timestamp": "2026-11-20T12:00:00Z",
    "payload": {"providerId": "A1", "provider": "ETHOCA", "type": "ETHOCA_CUSTOMER_DISPUTE", "status": "OPEN",
                "amount": "125.400", "currency": "usd", "merchantId": "M1", "issuer": "<b>BANK</b>"},
}  # fmt: skip
RESOLVED = CREATED | {"event": "alert.resolved", "timestamp": "2026-11-20T13:00:00Z"}


@pytest.fixture
def console(
    environment: dict[str, str], workshop: Workshop, intake_secrets: Secrets, tmp_path: Path
) -> Iterator[Client]:
    """Run a console on empty servers."""
    with run_console(environment, intake_secrets.console_token, tmp_path) as client:
        yield client


def push(workshop: Workshop, *bodies: object) -> list[str]:
    """Append bodies as the door does, and drain them; return their request ids."""
    with connect_journal(workshop.journal_url, 5.0) as client:
        envelopes = [Envelope("reseller", json.dumps(body).encode()) for body in bodies]
        for envelope in envelopes:
            append_entry(client, workshop.configuration.journal, seal_envelope(envelope, workshop.keyring))
        while client.xlen(workshop.configuration.journal.stream):
            drain(workshop, "drain@test/0", 0.3)
    return [envelope.request_id for envelope in envelopes]


def subscribe(workshop: Workshop, name: str = "downstream") -> None:
    """Add a subscription."""
    with connect_database(workshop.database_url, "test") as database:
        credentials = Credentials(secret=generate_secret(), headers={"X-API-Key": "hidden"})
        terms = Terms(name=name, url="https://downstream.example/", events=("*",))
        add_subscription(database, workshop.keyring, terms, credentials, "test", allow_http=False)


def test_alert_is_shown_with_everything_that_became_of_it(console: Client, workshop: Workshop) -> None:
    """A pushed alert is in the list, and its own page has its revisions, receipts and deliveries."""
    subscribe(workshop)
    requests_made = push(workshop, CREATED, CREATED, RESOLVED)
    page = console.get("/v1/alerts")
    (alert,) = page["data"]
    assert page["next_cursor"] is None
    assert (alert["provider"], alert["provider_alert_id"], alert["status"]) == ("ethoca", "A1", "resolved")
    assert (alert["amount"], alert["currency"], alert["duplicates"]) == ("125.40", "USD", 1)
    shown = console.get(f"/v1/alerts/{alert['id']}")
    assert {name: shown[name] for name in alert} == alert
    assert [receipt["ending"] for receipt in shown["receipts"]] == ["stored", "duplicate", "updated"]
    assert [receipt["request_id"] for receipt in shown["receipts"]] == requests_made
    assert "status" in shown["revisions"][-1]["changes"]
    assert [delivery["event"] for delivery in shown["deliveries"]] == ["alert.created", "alert.resolved"]
    assert all(delivery["state"] == "due" and delivery["log"] == [] for delivery in shown["deliveries"])


def test_list_is_walked_by_its_cursor(console: Client, workshop: Workshop) -> None:
    """Pages follow each other to the end, and the resume cursor finds what is stored afterwards."""
    for number in range(5):
        push(workshop, CREATED | {"payload": {"providerId": f"A{number}", "provider": "ETHOCA"}})
    walked: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = console.get("/v1/alerts", limit=2, **cursor)
        walked += [alert["provider_alert_id"] for alert in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert walked == ["A0", "A1", "A2", "A3", "A4"]
    push(workshop, CREATED | {"payload": {"providerId": "A5", "provider": "VERIFI"}})
    later = console.get("/v1/alerts", cursor=page["resume_cursor"])
    assert [alert["provider_alert_id"] for alert in later["data"]] == ["A5"]
    newest = console.get("/v1/alerts", order="newest", limit=1)
    assert newest["data"][0]["provider"] == "verifi"


def test_filters_select(console: Client, workshop: Workshop) -> None:
    """Every filter of the interface is understood."""
    push(workshop, CREATED)
    before, after = ((datetime.now(UTC) + timedelta(minutes=minutes)).isoformat() for minutes in (-1, 1))
    found: dict[str, object] = {
        "provider": "ethoca", "provider_alert_id": "A1", "kind": "customer_dispute", "status": "open",
        "merchant_id": "M1", "received_after": before, "received_before": after,
    }  # fmt: skip
    assert len(console.get("/v1/alerts", **found)["data"]) == 1
    other = {**dict.fromkeys(found, "other"), "received_after": after, "received_before": before}
    for name, value in other.items():
        assert console.get("/v1/alerts", **{name: value})["data"] == [], name


def test_books_are_shown(console: Client, workshop: Workshop) -> None:
    """The audit has exactly the fields of the interface."""
    push(workshop, CREATED, CREATED)
    assert console.get("/v1/audit") == {
        "balanced": True, "added": 2, "settled": 2, "waiting": 0, "orphaned": 0, "unaccounted": [],
    }  # fmt: skip


def test_other_lists_are_shown_without_their_secrets(console: Client, workshop: Workshop) -> None:
    """Rejections, subscriptions and deliveries are listed page by page; no credential and no body is among them."""
    subscribe(workshop, "a")
    subscribe(workshop, "b")
    push(workshop, {"event": "alert.created", "payload": {"note": "no id here"}}, [], CREATED)
    rejections = console.get("/v1/rejections", limit=1)
    assert len(rejections["data"]) == 1
    rest = console.get("/v1/rejections", limit=1, cursor=rejections["next_cursor"])
    assert rest["next_cursor"] is None
    assert {row["reason"] for row in rejections["data"] + rest["data"]} == {"no_alert_id", "unreadable"}
    assert console.get("/v1/rejections", state="discarded")["data"] == []
    first = console.get("/v1/subscriptions", limit=1)
    second = console.get("/v1/subscriptions", limit=1, cursor=first["next_cursor"])
    assert [row["name"] for row in first["data"] + second["data"]] == ["a", "b"]
    deliveries = console.get("/v1/deliveries", state="due", limit=1)
    others = console.get("/v1/deliveries", state="due", limit=1, cursor=deliveries["next_cursor"])
    assert {row["subscription"] for row in deliveries["data"] + others["data"]} == {"a", "b"}
    assert len(console.get("/v1/deliveries", subscription="a")["data"]) == 1
    everything = json.dumps([rejections, first, deliveries])
    assert not any(word in everything for word in ("hidden", "whsec_", "no id here", "sealed"))


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Bearer ", "Basic eDp5", "bearer", "Bearer \u00ff"])
@pytest.mark.parametrize(
    "path", ["/v1/alerts", "/v1/alerts/x", "/v1/audit", "/v1/rejections", "/v1/subscriptions", "/"]
)
def test_nobody_looks_without_the_token(console_of_module: Client, path: str, authorization: str | None) -> None:
    """Without the right token every answer is a 401 that says how to sign in, and nothing else."""
    headers = {"Authorization": authorization.encode("latin-1")} if authorization else {}
    answer = requests.get(console_of_module.url + path, headers=headers, timeout=20)
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["WWW-Authenticate"].startswith("Basic" if path == "/" else "Bearer")


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/v1/alerts", {"stauts": "open"}, 400),
        ("/v1/alerts", {"limit": "0"}, 400),
        ("/v1/alerts", {"limit": "501"}, 400),
        ("/v1/alerts", {"cursor": "x"}, 400),
        ("/v1/alerts", {"received_after": "soon"}, 400),
        ("/v1/alerts", {"status": "a\0"}, 400),
        ("/v1/alerts", {"order": "other"}, 400),
        ("/v1/rejections", {"state": "due"}, 400),
        ("/v1/rejections", {"cursor": "WyJyZWplY3Rpb25zIiwieCIsInkiXQ"}, 400),
        ("/v1/audit", {"acks": "1"}, 400),
        ("/v1/alerts/00000000-0000-0000-0000-000000000000", {}, 404),
        ("/v1/alerts/A1", {}, 404),
        ("/v2/alerts", {}, 404),
    ],
)
def test_what_cannot_be_answered_is_a_problem(
    console_of_module: Client, path: str, query: dict[str, object], status: int
) -> None:
    """Every error has the one shape of RFC 9457."""
    assert console_of_module.problem(path, "GET", **query)["status"] == status


def test_nothing_can_be_written(console_of_module: Client) -> None:
    """A method that is not there is a 405 that names those that are."""
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert console_of_module.problem("/v1/alerts", method)["status"] == 405
    assert "GET" in console_of_module.ask("/v1/alerts", "POST").headers["Allow"]


def test_description_is_public_and_of_this_server(console_of_module: Client) -> None:
    """The description is served without a token and names only paths that answer."""
    description = requests.get(console_of_module.url + "/openapi.json", timeout=20).json()
    assert description["openapi"].startswith("3.1")
    for path, operations in description["paths"].items():
        place = path.replace("{id}", "00000000-0000-0000-0000-000000000000")
        if "get" in operations:
            # Not read to its end: the stream of events has none.
            with console_of_module.begin(place) as answer:
                assert answer.status_code == (404 if "{id}" in path else 200), path
        else:
            assert console_of_module.ask(place).headers["Allow"] == "OPTIONS, POST"


def test_page_is_for_people_with_the_token(console: Client, workshop: Workshop) -> None:
    """Pages escape what came from outside, run and show only what is their own, and are kept by nobody."""
    push(workshop, CREATED | {"payload": CREATED["payload"] | {"providerId": "<script>A1</script>"}})  # type: ignore[operator]  # a dict
    answer = requests.get(console.url + "/", auth=("anyone", console.token), timeout=20)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    listed = requests.get(console.url + "/alerts", auth=("anyone", console.token), timeout=20)
    assert listed.status_code == 200
    assert "&lt;script&gt;A1&lt;/script&gt;" in listed.text
    for page in (answer, listed):
        assert re.findall(r'<script(?! src="/static/)|\bon\w+=|<style|style="', page.text) == []
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    style = requests.get(console.url + "/static/page.css", timeout=20)
    assert style.status_code == 200


def test_a_dead_journal_is_a_503_and_the_page_says_so(
    environment: dict[str, str], intake_secrets: Secrets, tmp_path: Path
) -> None:
    """Without the journal the books cannot be told: 503; alerts are shown all the same."""
    own = environment | {"JOURNAL_URL": "redis://127.0.0.1:1/0"}
    with run_console(own, intake_secrets.console_token, tmp_path) as console:
        assert console.problem("/v1/audit")["status"] == 503
        assert console.ask("/v1/audit").headers["Retry-After"] == "5"
        assert console.get("/v1/alerts")["data"] == []
        assert "does not answer" in requests.get(console.url, auth=("x", console.token), timeout=20).text


def test_a_dead_database_is_a_503(environment: dict[str, str], intake_secrets: Secrets, tmp_path: Path) -> None:
    """Without the database every list is a 503, soon; nothing of its address is told."""
    own = environment | {"DATABASE_URL": "postgresql://somebody:password@127.0.0.1:1/nowhere"}
    with run_console(own, intake_secrets.console_token, tmp_path) as console:
        problem = console.problem("/v1/alerts")
        assert problem["status"] == 503
        assert "somebody" not in json.dumps(problem)


@pytest.mark.parametrize(
    ("change", "told"),
    [({"DATABASE_URL": ""}, "DATABASE_URL"), ({"ALERT_INTAKE_CONFIG": "/nowhere.toml"}, "/nowhere.toml")],
)
def test_settings_that_cannot_be_used_stop_the_start(
    environment: dict[str, str], tmp_path: Path, change: dict[str, str], told: str
) -> None:
    """The start ends with one line that says which setting, and no traceback."""
    with pytest.raises(AssertionError) as caught, run_console(environment | change, "", tmp_path):
        pytest.fail("it started")
    assert told in str(caught.value)
    assert "Traceback" not in str(caught.value)


@pytest.fixture(scope="module")
def console_of_module(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Client]:
    """Run one console for the tests that write nothing."""
    from deploy.embedded.settings import ensure_secrets, write_configuration

    folder = tmp_path_factory.mktemp("console")
    certificates = request.getfixturevalue("certificates")
    token = ensure_secrets(folder / "secrets").console_token
    file = folder / "alert-intake.toml"
    write_configuration(file, certificates.development, folder / "secrets", certificates.client_subject)
    server, _, template = request.getfixturevalue("postgres_server").url.rpartition("/")
    environment = {
        "ALERT_INTAKE_CONFIG": str(file),
        "JOURNAL_URL": request.getfixturevalue("journal_server").url,
        "DATABASE_URL": f"{server}/console_of_module",
    }
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE console_of_module TEMPLATE {template} STRATEGY FILE_COPY".encode())
        with run_console(environment, token, folder) as client:
            yield client
        admin.execute("DROP DATABASE console_of_module WITH (FORCE)")


def test_log_has_one_line_a_request_and_no_query(console: Client, workshop: Workshop) -> None:
    """What was asked for stays out of the log: it may name a merchant."""
    console.get("/v1/alerts", merchant_id="M-SECRET")
    lines = [json.loads(line) for line in console.process.errors.read_text().splitlines() if line.startswith("{")]
    (line,) = [line for line in lines if line["event"] == "answered"]
    assert (line["route"], line["status"], line["method"]) == ("/v1/alerts", 200, "GET")
    assert "M-SECRET" not in console.process.errors.read_text()
