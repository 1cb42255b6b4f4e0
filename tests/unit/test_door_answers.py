"""Acknowledgements, the error envelope, credentials, and what is counted by address."""

import base64
import subprocess
import sys
from typing import Any

import orjson
import pytest

from ingress.acknowledge import MAX_ERRORS, Fault, answer_push, error_envelope
from ingress.identity.header import Credentials
from ingress.ids import Look
from ingress.limits.peers import network_of
from schemas.settings.secret import Secret
from schemas.settings.sources import Acknowledgement, Basic, Header, Source


def make_source(acknowledgement: Acknowledgement | None = None) -> Source:
    """Return a source with two Basic credentials and a key."""
    return Source(
        name="x",
        format="ethoca",
        certificate="optional",
        credentials=(
            Basic(user="old", password=Secret(env="OLD")),
            Basic(user="näw", password=Secret(env="NEW")),
            Header(name="X-API-Key", value=Secret(env="KEY")),
        ),
        acknowledgement=acknowledgement or Acknowledgement(),
    )


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the secrets."""
    for name in ("OLD", "NEW", "KEY"):
        monkeypatch.setenv(name, f"secret: {name} ü")


def read(look: Look, **spelling: Any) -> tuple[int, Any]:  # noqa: ANN401 - JSON is of any type
    """Return the status and the body of an answer."""
    answer = answer_push(look, make_source(Acknowledgement(**spelling)))
    return answer.status, orjson.loads(answer.body)


def test_spelling_and_shape_are_the_sources_own() -> None:
    """A source may have other words, and may want nothing but the status."""
    assert read(Look(("a",)), success="SUCCESS") == (200, {"alertId": "a", "status": "SUCCESS"})
    assert read(Look(("a",)), shape="status") == (200, {"status": "success"})
    assert read(Look(("a", None), listed=True), shape="status", failed="FAILURE") == (200, {"status": "FAILURE"})
    assert read(Look(("a",), listed=True)) == (
        200,
        {"status": "success", "alerts": [{"alertId": "a", "status": "success"}]},
    )


def test_nothing_usable_is_never_a_success() -> None:
    """Without one usable id the answer is 400, in every shape."""
    for shape in ("alert", "status"):
        for look in (Look((None,)), Look((None, None), listed=True), Look((), unreadable="no JSON")):
            status, body = read(look, shape=shape)
            assert status == 400
            assert len(body["Errors"]["Error"]) == max(1, len(look.ids))


def test_errors_of_a_long_list_are_bounded() -> None:
    """Half a million unusable items are not half a million errors."""
    _, body = read(Look((None,) * 5000, listed=True))
    assert len(body["Errors"]["Error"]) == MAX_ERRORS


def test_envelope_keeps_its_length_limits() -> None:
    """The contract's limits hold whatever is said."""
    (error,) = orjson.loads(error_envelope([Fault("C" * 200, "d" * 2000, details="e" * 2000)]))["Errors"]["Error"]
    assert {name: len(str(value)) for name, value in error.items()} == {
        "Source": 12, "ReasonCode": 100, "Description": 1000, "Recoverable": 5, "Details": 1000,
    }  # fmt: skip


def encode(text: str, charset: str = "utf-8") -> str:
    """Return a Basic header."""
    return "Basic " + base64.b64encode(text.encode(charset)).decode()


@pytest.mark.parametrize(
    "environment",
    [
        {"HTTP_AUTHORIZATION": encode("old:secret: OLD ü")},
        {"HTTP_AUTHORIZATION": encode("näw:secret: NEW ü").replace("Basic", "bAsIc")},
        {"HTTP_X_API_KEY": "secret: KEY ü".encode().decode("latin-1")},
        {"HTTP_X_API_KEY": "wrong", "HTTP_AUTHORIZATION": encode("old:secret: OLD ü")},
    ],
)
def test_any_one_credential_opens(environment: dict[str, str]) -> None:
    """Several credentials at once allow to change them one after the other."""
    assert Credentials(make_source()).admit(environment)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"HTTP_AUTHORIZATION": ""},
        {"HTTP_AUTHORIZATION": "Basic"},
        {"HTTP_AUTHORIZATION": "Basic ="},
        {"HTTP_AUTHORIZATION": encode("old:secret: NEW ü")},
        {"HTTP_AUTHORIZATION": encode("old:")},
        {"HTTP_AUTHORIZATION": encode("old:secret: OLD ü") + "," + encode("old:secret: OLD ü")},
        {"HTTP_AUTHORIZATION": encode("old:secret: OLD ü").replace("Basic", "Bearer")},
        {"HTTP_X_API_KEY": "secret: OLD ü"},
        {"HTTP_X_API_KEY": ""},
    ],
)
def test_other_credentials_do_not(environment: dict[str, str]) -> None:
    """Nothing else does, not even a credential in the wrong place."""
    assert not Credentials(make_source()).admit(environment)


def test_challenge_names_what_is_expected() -> None:
    """The challenge of a source without Basic does not ask for a password."""
    assert Credentials(make_source()).challenge.startswith("Basic ")
    key_only = Source(
        name="x", format="ethoca", certificate="optional", credentials=(Header(name="X-Key", value=Secret(env="KEY")),)
    )
    assert Credentials(key_only).challenge.startswith("ApiKey ")


def test_one_host_of_ipv6_is_one_address() -> None:
    """An IPv6 host has a /64 to choose addresses from."""
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") == "2001:db8::/64"
    assert network_of("2001:db8:0:1::1") != network_of("2001:db8::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("") == ""


def test_door_loads_no_worker_libraries() -> None:
    """In a fresh interpreter the door loads none of celery, psycopg, marshmallow and requests."""
    program = "import sys, ingress.app, ingress.listener.serve, ingress.health; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "flask" in loaded
    assert {"celery", "kombu", "psycopg", "marshmallow", "requests", "workers", "console"}.isdisjoint(loaded)


def test_master_process_loads_no_journal_client() -> None:
    """What gunicorn's master imports leaves redis and ssl's users alone, so that gevent can patch the workers."""
    program = "import sys, ingress.listener.serve; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert {"redis", "flask", "urllib3"}.isdisjoint(loaded)
