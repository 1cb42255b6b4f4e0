"""The shortcut around Flask: what it answers is what Flask would have answered, and all else is Flask's."""

import base64
import io
import json
from typing import Any

import pytest
from flask import Flask

from ingress.app import build_app
from ingress.identity.certificate import read_pins
from ingress.identity.header import Credentials
from ingress.receive import Reception
from ingress.settings import Admission, Settings
from ingress.shortcut import VISIT
from ingress.visit import Visit
from schemas.journal.envelope import Envelope
from schemas.journal.room import JournalFull
from schemas.keyring import Keyring
from schemas.settings.configuration import Configuration, Sealing
from schemas.settings.secret import Secret
from schemas.settings.sources import Acknowledgement, Basic, Source

RIGHT = "Basic " + base64.b64encode(b"x:right").decode()
Answer = tuple[str, list[tuple[str, str]], bytes]


class Journal:
    """Stands for the journal where only the door's answer is looked at: takes all, or is full."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.full = False

    def enqueue(self, envelope: Envelope) -> str:
        """Take an envelope."""
        if self.full:
            raise JournalFull("full")
        self.taken.append(envelope)
        return "1-0"


@pytest.fixture
def journal() -> Journal:
    """Return an empty journal."""
    return Journal()


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the secret."""
    monkeypatch.setenv("KEY", "right")


@pytest.fixture
def app(journal: Journal) -> Flask:
    """Return the application."""
    return make_app(journal)


def make_app(journal: Journal) -> Flask:
    """Build the application, for two sources."""
    secret = Secret(env="KEY")
    basic = Basic(user="x", password=secret)
    sources = [
        Source(name="x", format="ethoca", certificate="optional", credentials=(basic,), paths=("/straße",)),
        Source(
            name="list",
            format="ethoca",
            certificate="optional",
            credentials=(basic,),
            acknowledgement=Acknowledgement(success="JÄ", shape="status"),
        ),
    ]
    configuration = Configuration(sources=tuple(sources), sealing=Sealing(keys=secret, matching=secret))
    paths = {
        path: Admission(source, read_pins(source), Credentials(source))
        for source in sources
        for path in source.every_path
    }
    settings = Settings(configuration, "redis://", Keyring([bytes(32)], bytes(32)), paths)
    return build_app(settings, Reception(configuration.door, lambda _: None, journal))  # type: ignore[arg-type]  # has the one method


def request(path: str = "/push/x", body: bytes = b'{"alertId": "A"}', **more: str) -> dict[str, Any]:
    """Return the environment of a push."""
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path.encode().decode("latin-1"),
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_AUTHORIZATION": RIGHT,
        "HTTP_HOST": "localhost:8443",
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
    } | more


def ask(application: Any, environment: dict[str, Any]) -> Answer:  # noqa: ANN401 - a WSGI application
    """Return status, headers and body, the request id replaced where it is told."""
    told: list[tuple[str, list[tuple[str, str]]]] = []
    answer = application(environment, lambda status, headers, _=None: told.append((status, headers)))
    body = b"".join(answer)
    ((status, headers),) = told
    assert len(dict(headers)["X-Request-Id"]) == 32
    return status, [(name, "the request id" if name == "X-Request-Id" else value) for name, value in headers], body


def both(app: Flask, path: str = "/push/x", body: bytes = b'{"alertId": "A"}', **more: str) -> tuple[Answer, Answer]:
    """Return the answer that is given, and the one that Flask alone would give."""
    flask_alone = Flask.wsgi_app.__get__(app)
    environment = request(path, body, **more)
    return ask(app, request(path, body, **more)), ask(flask_alone, environment | {VISIT: Visit("192.0.2.1")})


@pytest.mark.parametrize(
    "body", [b'{"alertId": "A"}', b'[{"alertId": "A"}, {"alertId": 7}]', b'[{"alertId": "A"}, {}]', b'{"id": 1}', b"{"]
)
@pytest.mark.parametrize("path", ["/push/x", "/push/list", "/straße"])
def test_accepted_push_has_flasks_answer(app: Flask, journal: Journal, path: str, body: bytes) -> None:
    """Status, headers, their order and the body are the same to the byte, and the push is kept once."""
    given, flasks = both(app, path, body)
    assert given == flasks
    assert [envelope.body for envelope in journal.taken] == [body, body]


@pytest.mark.parametrize(
    ("status", "more"),
    [
        (401, {"HTTP_AUTHORIZATION": "Basic eA=="}),
        (415, {"CONTENT_TYPE": "text/plain"}),
        (400, {"CONTENT_LENGTH": "400"}),
        (413, {"CONTENT_LENGTH": "40000000"}),
        (404, {"PATH_INFO": "/push/y"}),
        (405, {"REQUEST_METHOD": "PUT"}),
        (405, {"REQUEST_METHOD": "HEAD"}),
        (400, {"HTTP_UPGRADE": "websocket", "HTTP_CONNECTION": "upgrade"}),
    ],
)
def test_refusal_is_flasks(app: Flask, journal: Journal, status: int, more: dict[str, str]) -> None:
    """What is not accepted is answered by Flask, and nothing of it is kept."""
    given, flasks = both(app, "/push/x", b'{"alertId": "A"}', **more)
    assert given == flasks
    assert given[0].startswith(str(status))
    assert journal.taken == []


def test_full_journal_is_flasks(app: Flask, journal: Journal) -> None:
    """A push that could not be kept is 503 with Retry-After, and was tried once."""
    journal.full = True
    given, flasks = both(app)
    assert given == flasks
    assert (given[0], dict(given[1])["Retry-After"]) == ("503 SERVICE UNAVAILABLE", "5")


def test_failed_authentication_is_counted_once(app: Flask) -> None:
    """Whoever takes the long way is not received twice: the limit of 60 a minute comes with the 61st."""
    statuses = [ask(app, request(HTTP_AUTHORIZATION="Basic eA=="))[0][:3] for _ in range(61)]
    assert statuses == ["401"] * 60 + ["429"]


def test_one_line_a_request(journal: Journal, capfdbinary: Any) -> None:  # noqa: ANN401 - untyped fixture
    """The short way and the long way write the same one line."""
    app = make_app(journal)
    ask(app, request())
    ask(Flask.wsgi_app.__get__(app), request() | {VISIT: Visit("192.0.2.1")})
    short, long = (json.loads(line) for line in capfdbinary.readouterr().out.splitlines())
    assert short.keys() == long.keys()
    assert short["event"] == long["event"] == "acknowledged"
    assert short["entry_id"] == "1-0"
