"""A person is signed in at the console, and visits another site: what that site can do with a real browser."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from playwright.sync_api import Page, sync_playwright

from tests.e2e.browser import FLAGS, PATIENCE
from tests.integration.console_site import Site, run_site
from tests.programs import require_program


@contextmanager
def run_elsewhere(html: str) -> Iterator[str]:
    """Run another site with one page. The console is at 127.0.0.1, so `localhost` is another site to the browser."""

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = html.encode() if self.path == "/" else b""
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_address[1]}/"
        server.shutdown()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Site]:
    """Run a console with one subscription."""
    require_program("chromium", "chromium")
    with run_site(tmp_path_factory.mktemp("site"), request) as running:
        terms = {"name": "orders", "url": "https://orders.example/hook"}
        headers = {"Authorization": f"Bearer {running.client.token}"}
        added = requests.post(f"{running.client.url}/v1/subscriptions", json=terms, headers=headers, timeout=20)
        assert added.status_code == 201
        yield running


@pytest.fixture(scope="module")
def person(site: Site) -> Iterator[Page]:
    """Return the window of somebody who has signed in."""
    program = require_program("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=list(FLAGS))
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(site.client.url)
        page.get_by_label("Token").fill(site.client.token)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{site.client.url}/")
        yield page
        browser.close()


def read_state(site: Site) -> str:
    """Return the state of the subscription."""
    (row,) = site.client.get("/v1/subscriptions")["data"]
    return str(row["state"])


def test_a_form_elsewhere_changes_nothing(site: Site, person: Page) -> None:
    """A page that sends a form to the console by itself leads to the first page; it changes and ends nothing."""
    (row,) = site.client.get("/v1/subscriptions")["data"]
    target = f"{site.client.url}/subscriptions/{row['id']}/pause"
    html = f'<form method="post" action="{target}"></form><script>document.forms[0].submit()</script>'
    with run_elsewhere(html) as elsewhere:
        person.goto(elsewhere)
        person.get_by_role("button", name="Sign out").wait_for()
    assert person.url == f"{site.client.url}/"
    assert read_state(site) == "active"
    person.goto(f"{site.client.url}/subscriptions/{row['id']}")
    person.get_by_role("button", name="Pause").click()  # a form of the console's own is taken
    person.get_by_role("button", name="Resume").wait_for()
    assert read_state(site) == "paused"


def test_a_link_elsewhere_leads_to_the_page(site: Site, person: Page) -> None:
    """Though the browser leaves out the cookie on the way, who is signed in need not sign in again."""
    with run_elsewhere(f'<a href="{site.client.url}/alerts?q=nothing">there</a>') as elsewhere:
        person.goto(elsewhere)
        person.get_by_text("there").click()
        person.get_by_role("button", name="Sign out").wait_for()
    assert person.url == f"{site.client.url}/alerts?q=nothing"


def test_a_choice_in_a_filter_is_not_sent_before_it_is_asked_for(site: Site, person: Page) -> None:
    """Whoever chooses with the arrow keys passes over other choices, and stays where they are until they ask."""
    person.goto(f"{site.client.url}/alerts")
    sent: list[str] = []
    note = lambda request: sent.append(request.url) if request.is_navigation_request() else None  # noqa: E731
    person.on("request", note)
    box = person.locator("form.filters select").first
    box.focus()
    before = box.input_value()
    box.press("ArrowDown")
    box.press("ArrowDown")
    assert box.input_value() != before
    person.wait_for_load_state("networkidle")
    assert sent == []
    chosen = box.input_value()
    person.get_by_role("button", name="Show").click()
    person.wait_for_url(f"**/alerts?*{chosen}*")
    assert person.locator("form.filters select").first.input_value() == chosen
    person.remove_listener("request", note)


def test_a_page_elsewhere_sees_nothing(site: Site, person: Page) -> None:
    """Neither a script nor a frame of another site gets to see a page or an answer of the API."""
    addresses = [site.client.url + path for path in ("/", "/v1/alerts", "/openapi.json")]
    with run_elsewhere(f'<iframe src="{addresses[0]}"></iframe>') as elsewhere:
        person.goto(elsewhere)
        person.wait_for_load_state("networkidle")
        assert all(site.client.url not in frame.url for frame in person.frames)
        for address in addresses:
            ask = f"fetch('{address}', {{credentials: 'include'}}).then((a) => a.text(), () => null)"
            assert person.evaluate(ask) is None
