"""Who is let in: tokens, roles, sessions, forms from elsewhere, and how often one may try."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from console.access.admission import Admission
from console.access.caller import Caller, Role, role_needed
from console.access.digest import PREFIX, digest_token, looks_like_token, make_token
from console.web.admission import admit_person, admit_program, install_admission, name_actor
from console.web.attempts import Attempts
from console.web.forgery import offer_fields, offer_token
from console.web.problem import answer_problems
from console.web.session import LIFETIME, configure_sessions
from console.web.sign_in import choose_next, create_sign_in, lead_to_sign_in

if TYPE_CHECKING:
    from console.pool import ReadPool

KEY = bytes(range(32))
TOKEN = "the token of the configuration"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
BASIC = ("anybody", TOKEN)


class NoPool:
    """A database that must not be asked."""

    def connection(self) -> object:
        """Fail."""
        pytest.fail("the database was asked")


def build(origin: str | None = None) -> Flask:
    """Return an application with a page, a form behind it, and a route for programs."""
    app = Flask("console.app")
    configure_sessions(app, KEY, https=(origin or "").startswith("https://"))
    install_admission(app, Admission(TOKEN, KEY, cast("ReadPool", NoPool())), origin)
    offer_fields(app)
    app.register_blueprint(create_sign_in())
    answer_problems(app)
    lead_to_sign_in(app)

    @app.route("/", methods=["GET", "POST"])
    def page() -> str:
        admit_person(request)
        return f"{name_actor()} {offer_token()}"

    @app.route("/v1/thing", methods=["GET", "POST"])
    def thing() -> str:
        admit_program(request)
        return name_actor()

    return app


@pytest.fixture
def client() -> FlaskClient:
    """Return a browser that knows nothing yet."""
    return build().test_client()


def sign_in(client: FlaskClient, token: str = TOKEN, **headers: str) -> Any:  # noqa: ANN401 - werkzeug's answer
    """Fill in the form as a browser does."""
    form = client.get("/sign-in").text
    csrf = form.partition('name="csrf_token" value="')[2].partition('"')[0]
    return client.post("/sign-in", data={"csrf_token": csrf, "token": token, "next": "/?a=1"}, headers=headers)


def read_csrf(client: FlaskClient) -> str:
    """Return what a form of the page would hold."""
    return client.get("/").text.rpartition(" ")[2]


def test_who_signs_in_may_send_forms(client: FlaskClient) -> None:
    """The sign-in leads on to where one came from, and with its cookie a form with the token in it is taken."""
    answer = sign_in(client)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/?a=1")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("alert-intake=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert TOKEN not in cookie
    assert client.post("/", data={"csrf_token": read_csrf(client)}).status_code == 200
    assert client.post("/", headers={"X-CSRF-Token": read_csrf(client)}).text.startswith("console ")
    assert client.get("/sign-in?next=/x").headers["Location"] == "/x"


def test_who_signs_out_is_out(client: FlaskClient) -> None:
    """The cookie is gone afterwards, and signing out needs the form of a page of ours too."""
    sign_in(client)
    assert client.post("/sign-out").status_code == 403
    assert client.post("/sign-out", data={"csrf_token": read_csrf(client)}).headers["Location"] == "/sign-in"
    assert client.get("/").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.elsewhere.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_form_from_elsewhere_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    """Even with the cookie and the right anti-forgery token: the browser says that it comes from another site."""
    sign_in(client)
    data = {"csrf_token": read_csrf(client)}
    assert client.post("/", data=data, headers=headers).status_code == 403
    assert client.post("/", data=data, headers={"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}).text
    assert build().test_client().post("/sign-in", data={"token": TOKEN}, headers=headers).status_code == 403


@pytest.mark.parametrize("token", ["", "wrong", "\u00ff"])
def test_a_form_without_its_token_is_refused(client: FlaskClient, token: str) -> None:
    """The cookie alone changes nothing."""
    sign_in(client)
    read_csrf(client)
    answer = client.post("/", data={"csrf_token": token})
    assert answer.status_code == 403
    assert answer.content_type == "application/problem+json"


def test_the_configured_origin_counts(client: FlaskClient) -> None:
    """Behind a proxy the Host may be another; the cookie is then bound to the host and to https."""
    behind = build("https://alerts.example.com").test_client()
    answer = behind.get("/sign-in", base_url="https://internal")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-alert-intake-form=")
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain" not in cookie
    csrf = answer.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    for origin, status in (("https://internal", 403), ("https://alerts.example.com", 303)):
        data = {"csrf_token": csrf, "token": TOKEN}
        given = behind.post("/sign-in", data=data, headers={"Origin": origin}, base_url="https://internal")
        assert given.status_code == status
    assert given.headers["Set-Cookie"].startswith("__Host-alert-intake=")


def test_what_a_browser_repeats_by_itself_changes_nothing(client: FlaskClient) -> None:
    """HTTP Basic lets a program look at a page; with it no form is taken. A bearer token is never sent by itself."""
    assert client.get("/", auth=BASIC).status_code == 200
    assert client.post("/", auth=BASIC).status_code == 401
    assert client.post("/", headers=BEARER).status_code == 200


def test_the_api_knows_no_cookie(client: FlaskClient) -> None:
    """Signed in or with Basic, the API still wants a bearer token: no page elsewhere can use it."""
    sign_in(client)
    for answer in (client.get("/v1/thing"), client.post("/v1/thing"), client.get("/v1/thing", auth=BASIC)):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert client.post("/v1/thing", headers=BEARER).text == "console"


def test_a_browser_is_led_to_the_sign_in(client: FlaskClient) -> None:
    """A page leads there and back, htmx is told to go there, anything else gets a 401 as problem+json."""
    answer = client.get("/?a=1", headers=BROWSER)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?next=/?a%3D1")
    assert client.get("/", headers={"HX-Request": "true"}).headers["HX-Redirect"] == "/sign-in"
    answer = client.get("/", headers={"Accept": "*/*"})
    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
    assert client.get("/v1/thing", headers=BROWSER).content_type == "application/problem+json"


def test_a_link_from_elsewhere_works(client: FlaskClient) -> None:
    """The browser leaves out the Strict cookie then; a page of ours leads on to the same place, and it is sent."""
    answer = client.get("/?a=1&b=<", headers=BROWSER | {"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0; url=/sign-in?next=/?a%3D1%26b%3D' in answer.text
    assert client.get("/", headers=BROWSER | {"Sec-Fetch-Site": "same-origin"}).status_code == 303


def test_nobody_is_signed_out_from_elsewhere(client: FlaskClient) -> None:
    """What comes without the session's cookie, as a form or a link of another site does, never sets that cookie."""
    for method, path in (("GET", "/"), ("POST", "/"), ("GET", "/sign-in"), ("POST", "/sign-in"), ("POST", "/sign-out")):
        for headers in (BROWSER, BROWSER | {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}):
            answer = build().test_client().open(path, method=method, headers=headers)
            assert not [one for one in answer.headers.getlist("Set-Cookie") if one.startswith("alert-intake=")]


@pytest.mark.parametrize(
    "wanted",
    [None, "", "x", "https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "/a\tb", "/\n"],
)
def test_the_sign_in_leads_to_no_other_site(wanted: str | None) -> None:
    """Only a path of ours is followed."""
    assert choose_next(wanted) == "/"
    assert choose_next("/alerts?x=1") == "/alerts?x=1"


def test_wrong_tokens_are_limited(client: FlaskClient) -> None:
    """After ten wrong ones of an address each further wrong one is a 429; another address has its own ten."""
    for _ in range(10):
        assert sign_in(client, "wrong").status_code == 401
    answer = sign_in(client, "wrong")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    client.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    assert sign_in(client, "wrong").status_code == 401


def test_nobody_keeps_others_from_signing_in(client: FlaskClient) -> None:
    """Behind a proxy all have one address: however many wrong tokens came from it, a right one is taken."""
    for _ in range(12):
        sign_in(client, "wrong")
    assert sign_in(client, "wrong").status_code == 429
    assert sign_in(client).status_code == 303
    assert client.get("/").status_code == 200


def test_attempts_are_counted_by_network_and_forgotten() -> None:
    """One IPv6 customer is one sender, a minute later all is forgotten, and memory is bounded."""
    now = 0.0
    attempts = Attempts(limit=2, clock=lambda: now)
    attempts.note_failure("2001:db8::1")
    attempts.note_failure("2001:db8::2")
    assert attempts.wait("2001:db8::3") == 60
    assert attempts.wait("2001:db8:0:1::1") == 0
    assert attempts.wait("") == 0
    now = 60.0
    assert attempts.wait("2001:db8::1") == 0
    for number in range(20_000):
        attempts.note_failure(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(attempts._failed) == 10_000  # noqa: SLF001 - nothing shows how much is kept


@contextmanager
def forged(client: FlaskClient, **values: object) -> Iterator[None]:
    """Put values into the session, signed with the right key."""
    with client.session_transaction() as session:
        session.update(values)
    yield


def test_a_session_ends_by_itself(client: FlaskClient) -> None:
    """Twelve hours after the sign-in it is over, however often it has been used; one from the future is none."""
    sign_in(client)
    now, whole = time.time(), LIFETIME.total_seconds()
    for since, status in ((now - whole + 60, 200), (now - whole, 401), (now + 3600, 401)):
        with forged(client, since=int(since)):
            assert client.get("/").status_code == status


def test_a_session_of_another_key_is_none(client: FlaskClient) -> None:
    """A cookie that somebody else signed, or changed, admits nobody."""
    sign_in(client)
    cookie = client.get_cookie("alert-intake")
    assert cookie is not None
    other = build()
    other.secret_key = b"another key"
    for value in (cookie.value[:-2] + "AA", "x", cookie.value.replace(".", "", 1)):
        client.set_cookie("alert-intake", value)
        assert client.get("/").status_code == 401
    stranger = other.test_client()
    stranger.set_cookie("alert-intake", cookie.value)
    assert stranger.get("/").status_code == 401


def test_roles_include_the_weaker() -> None:
    """To look is for everybody, to change is not; what is no known method changes."""
    reader, operator = Caller("a", "read"), Caller("b", "operate")
    assert [operator.may("read"), operator.may("operate"), reader.may("read"), reader.may("operate")] == [
        *(True, True, True, False)
    ]
    needed: dict[str, Role] = {method: role_needed(method) for method in ("GET", "HEAD", "POST", "PROPFIND")}
    assert needed == {"GET": "read", "HEAD": "read", "POST": "operate", "PROPFIND": "operate"}


def test_tokens_are_random_and_their_digest_keyed() -> None:
    """No two are the same, and without the key of the installation nobody can write a digest into the database."""
    made = {make_token() for _ in range(100)}
    assert len(made) == 100
    assert all(looks_like_token(token) and token.startswith(PREFIX) and len(token) == 47 for token in made)
    assert not any(map(looks_like_token, ("", PREFIX, "x" * 47, PREFIX + "\u0660" * 43, f"{next(iter(made))}\n")))
    token = next(iter(made))
    assert digest_token(token, KEY) != digest_token(token, bytes(32))
    assert len(digest_token("\ud800", KEY)) == 32
