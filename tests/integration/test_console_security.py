"""The console's doors: every route is closed, roles hold, tokens end, and what is done by hand is noted."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from console.access.caller import SAFE_METHODS
from console.app import build_app
from tests.integration.console_server import Client
from tests.integration.console_site import Site, run_site

NOBODYS = "00000000-0000-0000-0000-000000000000"
# Answered to anybody, and why: for machines that look whether it lives, the description, what a page looks like.
PUBLIC = {"/livez", "/openapi.json", "/static/<path:filename>"}
SIGN_IN = {"/sign-in", "/sign-out"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Site]:
    """Run one console behind https for all tests here."""
    with run_site(tmp_path_factory.mktemp("site"), request, "https://alerts.example.com") as running:
        yield running


@pytest.fixture(scope="module")
def reader(site: Site) -> Client:
    """Return somebody who may only look."""
    return site.as_bearer(site.add_token("reader", "read"))


@pytest.fixture(scope="module")
def operator(site: Site) -> Client:
    """Return somebody who may change things."""
    return site.as_bearer(site.add_token("operator", "operate"))


@pytest.fixture(scope="module")
def routes(site: Site) -> list[tuple[str, str]]:
    """Return every route of the application with each of its methods."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in site.environment.items():
            patch.setenv(name, value)
        rules = list(build_app().url_map.iter_rules())
    return [(rule.rule, method) for rule in rules for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"})]


def fill(rule: str) -> str:
    """Return an address that the rule matches."""
    return re.sub(r"<[^>]+>", NOBODYS, re.sub(r"<any\((\w+)[^>]*>", r"\1", rule))


def run_command(site: Site, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command beside the console."""
    environment = {"PATH": os.environ["PATH"]} | site.environment
    command = [sys.executable, "-m", "console.command", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def make_token(site: Site, name: str, *options: str) -> str:
    """Make a token by command."""
    result = run_command(site, "tokens", "add", name, "--json", *options)
    assert result.returncode == 0, result.stderr
    return str(json.loads(result.stdout)["token"])


def list_tokens(site: Site) -> dict[str, dict[str, Any]]:
    """Return the tokens that the command lists, by name."""
    rows = json.loads(run_command(site, "tokens", "list", "--json", "--revoked").stdout)["data"]
    return {row["name"]: row for row in rows}


def test_every_route_is_closed(site: Site, routes: list[tuple[str, str]]) -> None:
    """Whatever routes there are: without a token nothing but the sign-in answers, whatever the method."""
    assert {rule for rule, _ in routes} >= PUBLIC | SIGN_IN | {"/", "/v1/alerts", "/v1/operations"}
    for rule, method in routes:
        if rule in PUBLIC or (rule in SIGN_IN and method == "GET"):
            continue
        for headers in ({}, {"Authorization": "Bearer ait_" + "A" * 43}, {"Cookie": "__Host-alert-intake=x"}):
            answer = requests.request(method, site.client.url + fill(rule), headers=headers, timeout=20)
            assert answer.status_code == (403 if rule in SIGN_IN else 401), (rule, method, headers)


def test_who_may_look_may_not_change(site: Site, routes: list[tuple[str, str]], reader: Client) -> None:
    """Whatever routes there are: with the role read each method that could change something is a 403."""
    changing = [(rule, method) for rule, method in routes if method not in SAFE_METHODS and rule not in SIGN_IN]
    assert {method for _, method in changing} >= {"POST", "PATCH", "DELETE"}
    for rule, method in changing:
        problem = reader.problem(fill(rule), method)
        assert (problem["status"], "role operate" in problem["detail"]) == (403, True), (rule, method)
    assert reader.get("/v1/alerts")["data"] == []


def test_a_token_lives_from_add_to_revoke(site: Site) -> None:
    """Printed once, kept as a digest only, listed with its last use, and refused at once when it is revoked."""
    token = make_token(site, "shop")
    shop = site.as_bearer(token)
    assert list_tokens(site)["shop"]["last_used_at"] is None
    assert shop.get("/v1/alerts")["data"] == []
    listed = list_tokens(site)["shop"]
    assert (listed["role"], listed["state"]) == ("read", "valid")
    assert listed["last_used_at"] > listed["made_at"]
    kept = site.database.execute("SELECT t::text AS row FROM tokens t").fetchall()
    assert token not in str(kept)
    with shop.begin("/v1/events") as stream:
        assert stream.status_code == 200
    revoked = run_command(site, "tokens", "revoke", "shop")
    assert (revoked.returncode, revoked.stdout) == (0, "revoked shop\n")
    assert shop.problem("/v1/alerts")["status"] == 401
    assert list_tokens(site)["shop"]["state"] == "revoked"
    again = run_command(site, "tokens", "revoke", "shop")
    assert (again.returncode, again.stderr.startswith("alert-intake: there is no token 'shop' in use")) == (1, True)
    log = site.client.process.errors.read_text()
    assert '"caller": "shop"' in log
    assert token not in log


def test_a_token_ends_by_itself(site: Site) -> None:
    """After its time it is refused like one that is not known, and listed as expired."""
    token = make_token(site, "brief", "--expires", "24h")
    brief = site.as_bearer(token)
    assert brief.get("/v1/alerts")["data"] == []
    site.database.execute("UPDATE tokens SET expires_at = now() WHERE name = 'brief'")
    assert brief.problem("/v1/alerts")["status"] == 401
    assert list_tokens(site)["brief"]["state"] == "expired"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("taken",), "there is a token 'taken' already"),
        (("console",), "is the name of the token in the configuration"),
        ((" x",), "printable characters"),
        (("x", "--expires", "soon"), "a length of time such as 24h"),
        (("x", "--expires", "0"), "more than 0"),
    ],
)
def test_a_token_that_would_not_do_is_refused(site: Site, arguments: tuple[str, ...], told: str) -> None:
    """One line says why, and no token is made."""
    if "taken" not in list_tokens(site):
        make_token(site, "taken", "--expires", "never", "--role", "operate")
    result = run_command(site, "tokens", "add", *arguments)
    assert result.returncode == 1
    assert told in result.stderr
    assert "Traceback" not in result.stderr
    assert "ait_" not in result.stdout


def test_what_is_done_by_hand_is_noted(site: Site, operator: Client, reader: Client) -> None:
    """Each write leaves who, when, what and why: with a token its name, by command the user."""
    terms = {"name": "noted", "url": "https://noted.example/hook"}
    bearer = {"Authorization": f"Bearer {operator.token}"}
    base = f"{operator.url}/v1/subscriptions"
    assert requests.post(base, json=terms, headers=bearer, timeout=20).status_code == 201
    assert requests.patch(f"{base}/noted", json={"state": "paused"}, headers=bearer, timeout=20).status_code == 200
    assert requests.post(f"{base}/noted/rotate-secret", headers=bearer, timeout=20).status_code == 200
    assert requests.delete(f"{base}/noted", headers=bearer, timeout=20).status_code == 204
    done = reader.get("/v1/operations", actor="operator")["data"]
    assert [row["action"] for row in done] == [
        "remove subscription", "begin to remove subscription", "rotate secret", "pause subscription",
        "add subscription",
    ]  # fmt: skip
    assert len({row["subject"] for row in done}) == 1
    make_token(site, "noted")
    run_command(site, "tokens", "revoke", "noted")
    newest = reader.get("/v1/operations", limit=1)
    assert (newest["data"][0]["action"], newest["data"][0]["note"]) == ("revoke token", "noted")
    older = reader.get("/v1/operations", limit=1, cursor=newest["next_cursor"])["data"][0]
    assert (older["action"], older["note"].startswith("noted, may read, until 2")) == ("add token", True)
    listed = json.loads(run_command(site, "operations", "list", "--json", "--limit", "2").stdout)["data"]
    assert [row["id"] for row in listed] == [newest["data"][0]["id"], older["id"]]
    assert run_command(site, "operations", "list", "--cursor", "x").returncode == 1
    for cursor in ("x", "WyJvcGVyYXRpb25zIiwxODQ0Njc0NDA3MzcwOTU1MTYxNV0"):  # a number beyond every id
        assert reader.problem("/v1/operations", cursor=cursor)["status"] == 400


def test_a_person_signs_in_and_is_out_with_the_token(site: Site) -> None:
    """A session shows the page, names its token in the log, and ends at once when the token is revoked."""
    token = make_token(site, "person")
    browser = requests.Session()
    form = browser.get(f"{site.client.url}/sign-in", timeout=20)
    csrf = form.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    # The client here speaks http, so it would keep the cookie, which is Secure, to itself.
    cookie = {"Cookie": form.headers["Set-Cookie"].partition(";")[0]}
    answer = requests.post(
        f"{site.client.url}/sign-in",
        data={"csrf_token": csrf, "token": token},
        headers=cookie | {"Origin": "https://alerts.example.com"},
        allow_redirects=False,
        timeout=20,
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    given = answer.headers["Set-Cookie"]
    assert given.startswith("__Host-alert-intake=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Strict"} <= {part.strip() for part in given.split(";")}
    signed_in = {"Cookie": given.partition(";")[0]}
    page = requests.get(site.client.url, headers=signed_in, timeout=20)
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert run_command(site, "tokens", "revoke", "person").returncode == 0
    assert requests.get(site.client.url, headers=signed_in, timeout=20).status_code == 401


def test_answers_bind_the_browser(site: Site) -> None:
    """Own scripts and styles only, no frames, no foreign forms, no guessing of types, nothing kept; https only."""
    for path in ("/sign-in", "/openapi.json", "/v1/alerts", "/nowhere"):
        headers = requests.get(site.client.url + path, timeout=20).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert policy == {
            "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'",
            "connect-src": "'self'", "form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'",
        }  # fmt: skip
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Strict-Transport-Security"] == "max-age=31536000"
        assert "Access-Control-Allow-Origin" not in headers
        assert "Server" not in headers or "python" not in headers["Server"].lower()


def test_a_problem_is_a_page_for_people(site: Site) -> None:
    """A browser gets what went wrong as a page, a program as problem+json."""
    answer = requests.get(site.client.url + "/nowhere", headers={"Accept": "text/html"}, timeout=20)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert site.client.problem("/nowhere")["status"] == 404


def test_a_stream_ends_with_its_token(site: Site) -> None:
    """Somebody who is listening when the token is revoked hears no more."""
    token = make_token(site, "listener")
    with site.as_bearer(token).begin("/v1/events") as stream:
        frames = stream.iter_content(None)
        assert next(frames)
        run_command(site, "tokens", "revoke", "listener")
        assert all(b"event:" not in frame for frame in frames)
