"""Deliveries are retried on the pages: by the buttons, as a browser presses them, and to a real receiver."""

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import msgspec
import pytest
import requests

from deploy.embedded.settings import Secrets
from schemas.journal.append import append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from tests.integration.conftest import Query
from tests.integration.console_server import Client, run_console
from tests.integration.downstream import QUICK, Receiver, deliver, subscribe, tuned
from tests.integration.test_console_pages import sign_in
from workers.intake.drain import drain
from workers.settings import Workshop

PATIENT = msgspec.structs.replace(QUICK, schedule=(3600.0,))


@pytest.fixture
def console(
    environment: dict[str, str], workshop: Workshop, intake_secrets: Secrets, tmp_path: Path
) -> Iterator[Client]:
    """Run a console on empty servers."""
    with run_console(environment, intake_secrets.console_token, tmp_path) as client:
        yield client


@pytest.fixture
def browser(console: Client) -> requests.Session:
    """Return the session of somebody who may operate."""
    return sign_in(console, console.token)


def store_alert(workshop: Workshop, query: Query) -> str:
    """Push one alert, drain it, and return the path of its page."""
    body = json.dumps({"event": "alert.created", "payload": {"provider": "ETHOCA", "providerId": "A1"}}).encode()
    with connect_journal(workshop.journal_url, 5.0) as client:
        envelope = seal_envelope(Envelope("reseller", body), workshop.keyring)
        append_entry(client, workshop.configuration.journal, envelope)
    while not (stored := query("SELECT id FROM alerts")):
        drain(workshop, "drain@test/0", 0.3)
    return f"/alerts/{stored[0]['id']}"


def find_button(page: str, label: str) -> tuple[str, dict[str, str]] | None:
    """Return where the form of a button goes, and its fields; None when there is no such button."""
    for form in re.findall(r"<form method=\"post\".*?</form>", page, re.DOTALL):
        if re.search(rf">{label}</button>", form):
            target, field = (re.search(rf'{name}="([^"]+)"', form) for name in ("action", "value"))
            assert target
            assert field
            return target[1], {"csrf_token": unescape(field[1])}
    return None


def press(console: Client, browser: requests.Session, path: str, label: str) -> requests.Response:
    """Press a button of a page; return the page that it leads to."""
    found = find_button(browser.get(console.url + path, timeout=20).text, label)
    assert found is not None, label
    return browser.post(console.url + found[0], found[1], timeout=20)


def test_all_that_was_given_up_is_retried(
    console: Client, browser: requests.Session, quick: Workshop, receiver: Receiver, query: Query
) -> None:
    """The button names how many; pressed, they are due again and delivered, and it is gone. Who did it is kept."""
    page = f"/subscriptions/{subscribe(quick, receiver.url)}"
    store_alert(quick, query)
    receiver.statuses = [503]
    deliver(quick, 3)
    assert query("SELECT state FROM outbox") == [{"state": "given_up"}]
    answer = press(console, browser, page, "Retry the 1 given up")
    assert (answer.status_code, answer.url) == (200, f"{console.url}{page}?retried=1")
    assert "1 made due again." in answer.text
    assert query("SELECT state, due_at <= now() AS now FROM outbox") == [{"state": "due", "now": True}]
    assert find_button(answer.text, "Retry the 1 given up") is None
    receiver.statuses = [204]
    assert deliver(quick, 1) == {"done": 1}
    assert query(
        "SELECT actor, note LIKE '1 to test %%' AS told FROM operations WHERE action = 'retry deliveries'"
    ) == [{"actor": "console", "told": True}]


def test_one_that_was_given_up_is_retried_where_it_is_shown(
    console: Client, browser: requests.Session, quick: Workshop, receiver: Receiver, query: Query
) -> None:
    """On the alert's page and on the subscription's: given up, retried, given up again, retried, delivered."""
    subscription = f"/subscriptions/{subscribe(quick, receiver.url)}"
    alert = store_alert(quick, query)
    receiver.statuses = [503]
    for page, label in ((alert, "Retry"), (subscription, "Retry now")):
        deliver(quick, 3)
        assert query("SELECT state FROM outbox") == [{"state": "given_up"}]
        answer = press(console, browser, page, label)
        assert (answer.status_code, answer.url) == (200, f"{console.url}{subscription}?retried=1")
        assert query("SELECT state, due_at <= now() AS now FROM outbox") == [{"state": "due", "now": True}]
    receiver.statuses = [204]
    assert deliver(quick, 1) == {"done": 1}
    assert query("SELECT state, attempts FROM outbox") == [{"state": "delivered", "attempts": 7}]


def test_one_that_is_held_for_its_enrichment_has_no_button(
    browser: requests.Session, console: Client, quick: Workshop, receiver: Receiver, query: Query
) -> None:
    """Neither page offers to retry what waits for the remote enrichers; both say what it waits for."""
    subscription = f"/subscriptions/{subscribe(quick, receiver.url)}"
    alert = store_alert(quick, query)
    query("UPDATE outbox SET held = true, due_at = now() + interval '1 hour' RETURNING 1")
    for page, said in ((alert, "Held for enrichment"), (subscription, "once it is enriched")):
        shown = browser.get(console.url + page, timeout=20).text
        assert said in shown
        assert find_button(shown, "Deliver now") is find_button(shown, "Retry now") is None


def test_delivery_that_waits_is_made_now_and_only_once(
    console: Client, browser: requests.Session, workshop: Workshop, receiver: Receiver, query: Query
) -> None:
    """One whose next attempt is an hour off is delivered now; the button of a page that is old by then says why not."""
    patient = tuned(workshop, PATIENT)
    subscribe(patient, receiver.url)
    alert = store_alert(patient, query)
    receiver.statuses = [503]
    assert deliver(patient, 1) == {"again": 1}
    assert query("SELECT due_at > now() + interval '50 minutes' AS later FROM outbox") == [{"later": True}]
    old = find_button(browser.get(console.url + alert, timeout=20).text, "Deliver now")
    assert old is not None
    assert press(console, browser, alert, "Deliver now").status_code == 200
    receiver.statuses = [204]
    assert deliver(patient, 1) == {"done": 1}
    refused = browser.post(console.url + old[0], old[1], timeout=20)
    assert refused.status_code == 409
    assert refused.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "has been delivered already" in refused.text
    assert find_button(refused.text, "Pause") is not None  # the subscription's page, to go on from
    assert deliver(patient, 0, seconds=0.5) == {}
    assert len(receiver.received) == 2
