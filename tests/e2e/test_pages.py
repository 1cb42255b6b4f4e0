"""The pages for people, in a real browser, on the whole stack."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest
import requests
from playwright.sync_api import Browser, Locator, expect

from tests.e2e.bodies import dispute, fresh_id, webhook
from tests.e2e.browser import LOW_CONTRAST, PHONE, UNNAMED, Operator, run_browser, sit_down
from tests.e2e.sender import Sender
from tests.e2e.window import find_alert, get, received, wait_for

PAN = "4111111111111111"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run one browser for all tests here."""
    with run_browser() as running:
        yield running


@pytest.fixture
def operator(browser: Browser, run: dict[str, str]) -> Iterator[Operator]:
    """Return an operator who has signed in."""
    with sit_down(browser, run) as person:
        person.sign_in(run["CONSOLE_TOKEN"])
        yield person


def push_stored(run: Mapping[str, str], sender: Sender, body: object, alert_id: str) -> str:
    """Push one alert, wait until it is stored, and return our id of it."""
    assert sender.push(body).acknowledged
    alert = wait_for(lambda: find_alert(run, alert_id), lambda found: found is not None)
    assert alert is not None
    return str(alert["id"])


def reject(run: Mapping[str, str], sender: Sender, body: object) -> str:
    """Push what becomes no alert, and return the id of its rejection."""
    before = {row["id"] for row in get(run, "/v1/rejections", state="open", limit=500)["data"]}
    assert sender.push(body).status == 400
    rows = wait_for(
        lambda: [row for row in get(run, "/v1/rejections", state="open", limit=500)["data"] if row["id"] not in before],
        len,
    )
    return str(rows[0]["id"])


def list_paths(run: Mapping[str, str], ethoca: Sender) -> list[str]:
    """Return a page of every kind, each with something on it."""
    alert_id = fresh_id()
    own = push_stored(run, ethoca, dispute(alert_id, transactionTimestamp="some day"), alert_id)
    rejection = reject(run, ethoca, {"alertType": "CUSTOMERDISPUTE", "issuer": "A bank whose name is long " * 4})
    subscription = get(run, "/v1/subscriptions")["data"][0]["id"]
    return [
        "/", "/alerts", "/alerts?sort=soonest&status=unanswered", "/alerts?q=nothing-has-this-name", f"/alerts/{own}",
        "/rejections", f"/rejections/{rejection}", "/subscriptions", f"/subscriptions/{subscription}",
    ]  # fmt: skip


def read_rate(operator: Operator, ethoca: Sender, figure: Locator) -> str:
    """Push once more, and return a second later what a plot says of itself."""
    assert ethoca.push(dispute(fresh_id())).acknowledged
    operator.page.wait_for_timeout(1000)
    return figure.locator("svg").get_attribute("aria-label") or ""


def test_first_page_lives_while_pushes_arrive(operator: Operator, ethoca: Sender, run: dict[str, str]) -> None:
    """Without a reload the numbers move, the latest alert appears, workers live, and the books balance."""
    page = operator.page
    page.evaluate("window.unreloaded = true")
    alert_id = fresh_id()
    for one in (alert_id, fresh_id(), fresh_id()):
        assert ethoca.push(dispute(one)).acknowledged
    expect(page.get_by_role("link", name=alert_id)).to_be_visible()
    expect(page.locator("#pulse")).to_have_text("Live")
    taken = page.locator("figure", has_text="Taken into the journal")
    # What came before the first sample of a stack that has just been started is no rate: so pushes go on coming.
    wait_for(lambda: read_rate(operator, ethoca, taken), re.compile(r"at most (?!0 )").search, 60)
    expect(page.locator("section", has_text="Books").get_by_text("In balance")).to_be_visible()
    workers = page.get_by_role("table", name="Worker processes")
    for pool in ("drain", "forward"):
        expect(workers.get_by_role("row").filter(has_text=pool).filter(has_text="lives").first).to_be_visible()
    assert page.evaluate("window.unreloaded")
    before = taken.locator("path.line").get_attribute("d")
    page.reload()
    assert taken.locator("path.line").get_attribute("d")  # the last hour survives
    assert before


def test_alert_tells_its_whole_story(operator: Operator, ethoca: Sender, reseller: Sender, run: dict[str, str]) -> None:
    """Received twice, updated, delivered; what changed, what is related, what could not be read: on one page."""
    alert_id, twin_id, order = fresh_id(), fresh_id(), fresh_id()
    same = {"arn": f"7518605{alert_id[-16:]}"}
    own = push_stored(run, ethoca, dispute(alert_id, transactionTimestamp="some day", **same), alert_id)
    push_stored(run, ethoca, dispute(twin_id, **same), twin_id)
    update = webhook(alert_id, "alert.resolved", "2026-11-22T12:00:00Z", merchantOrderId=order)
    assert reseller.push(update).acknowledged
    wait_for(lambda: find_alert(run, alert_id), lambda alert: alert is not None and alert["status"] == "resolved")
    wait_for(lambda: received(run), lambda all_of_them: [
        one for one in all_of_them if one["body"]["payload"].get("providerId") == alert_id
        and one["body"]["event"] == "alert.resolved"])  # fmt: skip
    page = operator.page
    page.get_by_label("Find an alert").fill(order)
    page.keyboard.press("Enter")
    page.get_by_role("link", name=alert_id).click()
    page.wait_for_url(f"**/alerts/{own}")
    expect(page.get_by_role("heading", name=alert_id)).to_be_visible()
    steps = page.locator("ol.story > li")
    told = ["Received from ethoca", "Stored as a new alert", "Received from reseller", "Updated the alert"]
    for step in [*told, *(f"Delivered: alert.{event} to local-receiver" for event in ("created", "resolved"))]:
        expect(steps.filter(has_text=step)).to_have_count(1)
    changed = steps.filter(has_text="Updated the alert").get_by_role("row").filter(has_text="status")
    expect(changed).to_have_text(re.compile("open.*resolved", re.DOTALL))
    expect(page.get_by_role("table", name="same transaction").get_by_role("link", name=twin_id)).to_be_visible()
    expect(page.get_by_role("table", name="Fields that could not be read")).to_contain_text("some day")
    expect(page.locator(".heads .deadline")).to_contain_text("resolved")


def test_urgent_alerts_stand_out(operator: Operator, ethoca: Sender, run: dict[str, str]) -> None:
    """An alert of 22 hours ago has two left: it is marked, and before one that came just now."""
    urgent, later = fresh_id(), fresh_id()
    now = datetime.now(UTC)
    push_stored(run, ethoca, dispute(later, alertTimestamp=now.isoformat()), later)
    push_stored(run, ethoca, dispute(urgent, alertTimestamp=(now - timedelta(hours=22)).isoformat()), urgent)
    page = operator.open("/alerts?sort=soonest&status=unanswered")
    rows = page.locator("table.rows tbody tr")
    expect(rows.filter(has_text=urgent).locator(".left.urgent")).to_have_text(
        re.compile(r"^1 h 5\d min left|2 h left$")
    )
    expect(rows.filter(has_text=later).locator(".left.ahead")).to_have_text(re.compile("23 h|24 h|1 d"))
    texts = rows.all_inner_texts()
    places = [next(place for place, text in enumerate(texts) if one in text) for one in (urgent, later)]
    assert places == sorted(places)


def test_rejection_is_corrected_and_replayed(operator: Operator, ethoca: Sender, run: dict[str, str]) -> None:
    """The body is shown masked; a correction that would fail again is refused; the right one becomes an alert."""
    rejection = reject(run, ethoca, {"alertType": "CUSTOMERDISPUTE", "issuer": "BANK", "comment": f"card {PAN}"})
    page = operator.open("/rejections")
    page.locator(f'a[href$="{rejection}"]').click()
    expect(page.get_by_label("Body")).to_have_value(re.compile("411111\\*{6}1111"))
    assert PAN not in page.content()
    page.get_by_label("Body").fill('{"alertType": "CUSTOMERDISPUTE"}')
    with page.expect_response(re.compile("/replay$")) as refused:
        page.get_by_role("button", name="Replay corrected").click()
    assert refused.value.status == 422
    expect(page.get_by_role("alert")).to_contain_text("no usable alert id")
    operator.errors.clear()  # the browser tells of the 422
    alert_id = fresh_id()
    page.get_by_label("Body").fill(json.dumps(dispute(alert_id)))
    page.get_by_role("button", name="Replay corrected").click()
    page.wait_for_url("**?done=replayed")
    wait_for(lambda: find_alert(run, alert_id), lambda alert: alert is not None)
    page.reload()
    page.get_by_role("link", name="the alert").click()
    expect(page.get_by_role("heading", name=alert_id)).to_be_visible()


def test_rejection_is_discarded_with_a_note(operator: Operator, ethoca: Sender, run: dict[str, str]) -> None:
    """Without a note nothing is discarded; with one it is, and who did it stands below."""
    rejection = reject(run, ethoca, {"alertType": "CONFIRMEDFRAUD"})
    page = operator.open(f"/rejections/{rejection}")
    page.get_by_role("button", name="Discard").click()
    assert get(run, f"/v1/rejections/{rejection}")["state"] == "open"
    page.get_by_label("Why").fill("a test of the sender")
    page.get_by_role("button", name="Discard").click()
    page.wait_for_url("**?done=discarded")
    expect(page.get_by_role("table", name="What people did with it")).to_contain_text("console")
    assert get(run, f"/v1/rejections/{rejection}")["note"] == "a test of the sender"


def test_subscription_is_paused_and_resumed(operator: Operator, ethoca: Sender, run: dict[str, str]) -> None:
    """While it is paused what is due waits, and the first page says so; resumed, it is delivered."""
    page = operator.open("/subscriptions")
    page.get_by_role("link", name="local-receiver").click()
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".title .badge")).to_have_text("paused")
    try:
        alert_id = fresh_id()
        push_stored(run, ethoca, dispute(alert_id), alert_id)
        expect(page.get_by_role("table", name="The latest deliveries")).to_contain_text("due")
        expect(operator.open("/").locator(".troubles")).to_contain_text("1 subscription paused or tripped")
        page.go_back()
        assert not any(one["body"]["payload"].get("providerId") == alert_id for one in received(run))
    finally:
        page.get_by_role("button", name="Resume").click()
    expect(page.locator(".title .badge")).to_have_text("active")
    wait_for(lambda: received(run), lambda all_of_them: any(
        one["body"]["payload"].get("providerId") == alert_id for one in all_of_them))  # fmt: skip
    expect(page.get_by_role("table", name="What people did with it")).to_contain_text("resume subscription")


def test_keyboard_is_enough(browser: Browser, run: dict[str, str], ethoca: Sender) -> None:
    """Sign in, skip to the content, find an alert and open it without a pointer; the focus is always to be seen."""
    alert_id = fresh_id()
    push_stored(run, ethoca, dispute(alert_id), alert_id)
    with sit_down(browser, run) as person:
        page = person.page
        page.goto(person.base + "/")
        expect(page.locator("input[type=password]")).to_be_focused()
        page.keyboard.type(run["CONSOLE_TOKEN"])
        page.keyboard.press("Enter")
        page.wait_for_url(person.base + "/")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="To the content")).to_be_focused()
        expect(page.get_by_role("link", name="To the content")).to_be_in_viewport()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        page.goto(person.base + "/")
        seen: list[str] = []
        for _ in range(30):
            page.keyboard.press("Tab")
            name, outline = page.evaluate(
                "() => [document.activeElement.id || document.activeElement.textContent.trim(),"
                " getComputedStyle(document.activeElement).outlineStyle]"
            )
            assert outline != "none", name
            seen.append(name)
            if name == "find":
                break
        assert seen[:6] == ["To the content", "alert-intake", "Overview", "Alerts", "Rejections", "Subscriptions"]
        page.keyboard.type(alert_id)
        page.keyboard.press("Enter")
        page.wait_for_url("**/alerts?q=*")
        link = page.get_by_role("link", name=alert_id)
        for _ in range(40):
            page.keyboard.press("Tab")
            if link.evaluate("(one) => one === document.activeElement"):
                break
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name=alert_id)).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_read(browser: Browser, run: dict[str, str], ethoca: Sender, scheme: str) -> None:
    """Light and dark, every text has enough contrast, everything has a name, and a phone need not scroll sideways."""
    paths = list_paths(run, ethoca)
    with sit_down(browser, run, color_scheme=scheme, viewport=PHONE, reduced_motion="reduce") as person:
        page = person.sign_in(run["CONSOLE_TOKEN"])
        red, green, blue = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        assert (red + green + blue < 200) == (scheme == "dark")
        # The widest row of the first page, there once the console has asked the door.
        expect(page.get_by_role("rowheader", name="ethoca", exact=False)).to_be_visible(timeout=60_000)
        for path in paths:
            person.open(path)
            assert page.evaluate(LOW_CONTRAST) == [], path
            assert page.evaluate(UNNAMED) == [], path
            assert not person.overflows(), path
            assert page.evaluate("document.getAnimations().length") == 0
        page.set_viewport_size({"width": 1280, "height": 800})
        for path in paths:
            person.open(path)
            assert not person.overflows(), path
            assert page.evaluate(LOW_CONTRAST) == [], path


def test_pages_work_without_scripts(browser: Browser, run: dict[str, str], ethoca: Sender) -> None:
    """Signing in, finding and filtering need no script."""
    alert_id = fresh_id()
    push_stored(run, ethoca, dispute(alert_id), alert_id)
    with sit_down(browser, run, java_script_enabled=False) as person:
        page = person.sign_in(run["CONSOLE_TOKEN"], "/alerts")
        page.get_by_label("Kind").select_option("customer_dispute")
        page.get_by_label("Named").fill(alert_id)
        page.get_by_role("button", name="Show").click()
        page.get_by_role("link", name=alert_id).click()
        expect(page.get_by_role("heading", name=alert_id)).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in")


def test_page_says_when_it_stands_still(browser: Browser, run: dict[str, str]) -> None:
    """When the console cannot be reached what is shown stays, and says since when; then it lives again."""
    with sit_down(browser, run) as person:
        page = person.sign_in(run["CONSOLE_TOKEN"])
        expect(page.locator("#pulse")).to_have_text("Live")
        person.context.set_offline(offline=True)
        expect(page.locator("#pulse")).to_have_text(re.compile(r"^Stands still since \d\d:\d\d:\d\d UTC$"))
        expect(page.get_by_role("table", name="Entries of the journal")).to_be_visible()
        person.context.set_offline(offline=False)
        expect(page.locator("#pulse")).to_have_text("Live")
        person.errors.clear()  # the browser tells of the requests that failed


def test_static_files_come_from_the_console_itself(run: dict[str, str]) -> None:
    """Style and scripts are the console's own, and its policy admits no others."""
    page = requests.get(run["CONSOLE_URL"] + "/sign-in", timeout=20)
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    for name in ("page.css", "page.js", "vendor/htmx.min.js", "icon.svg"):
        assert requests.get(f"{run['CONSOLE_URL']}/static/{name}", timeout=20).ok, name
