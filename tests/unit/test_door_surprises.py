"""What nobody expects: an error in the door itself, a body that never ends. The answer is never a success."""

import io
import json
from typing import Any

import gevent
import pytest

from ingress import body
from ingress.acknowledge import Refused
from ingress.app import build_app
from ingress.body import read_body
from ingress.identity.certificate import read_pins
from ingress.identity.header import Credentials
from ingress.receive import Reception
from ingress.settings import Admission, Settings
from schemas.keyring import Keyring
from schemas.settings.configuration import Configuration, Sealing
from schemas.settings.door import Door
from schemas.settings.secret import Secret
from schemas.settings.sources import Header, Source


class BrokenEnqueuer:
    """Stands for a fault nobody thought of: there is no server that has it."""

    def enqueue(self, _envelope: object) -> str:
        """Fail, quoting what must not be logged."""
        raise RuntimeError("4111111111111111")


def test_unexpected_error_is_no_success(monkeypatch: pytest.MonkeyPatch, capfdbinary: Any) -> None:  # noqa: ANN401 - untyped fixture
    """It is answered with 500 in the envelope, and the log names the place of the error but not its words."""
    monkeypatch.setenv("KEY", "right")
    secret = Secret(env="KEY")
    key = Header(name="X-API-Key", value=secret)
    source = Source(name="x", format="ethoca", certificate="optional", credentials=(key,))
    configuration = Configuration(sources=(source,), sealing=Sealing(keys=secret, matching=secret))
    admission = Admission(source, read_pins(source), Credentials(source))
    settings = Settings(configuration, "redis://", Keyring([bytes(32)], bytes(32)), {"/push/x": admission})
    reception = Reception(Door(), lambda _: None, BrokenEnqueuer())  # type: ignore[arg-type]  # it has the one method
    client = build_app(settings, reception).test_client()

    answer = client.post(
        "/push/x", data=b'{"alertId": "A"}', content_type="application/json", headers={"X-API-Key": "right"}
    )

    assert answer.status_code == 500
    assert answer.get_json()["Errors"]["Error"][0]["ReasonCode"] == "SYSTEM_ERROR"
    written = capfdbinary.readouterr().out
    assert b"4111111111111111" not in written + answer.data
    line = json.loads(written)
    assert (line["event"], line["request_id"]) == ("failed", answer.headers["X-Request-Id"])
    assert line["why"].startswith("RuntimeError at ")


class EndlessBody(io.RawIOBase):
    """A body that never arrives."""

    def read(self, _size: int = -1) -> bytes:
        """Wait, as a socket does."""
        gevent.sleep(60)
        return b""


def test_body_that_does_not_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender that stops in the middle of its body does not hold its connection for ever."""
    monkeypatch.setattr(body, "BODY_SECONDS", 0.05)
    with pytest.raises(Refused) as refused:
        read_body({"CONTENT_LENGTH": "5", "wsgi.input": EndlessBody()}, 100)
    assert refused.value.status == 408


@pytest.mark.parametrize(
    ("declared", "sent", "status"), [("5", b"1234", 400), ("", b"x" * 101, 413), ("101", b"", 413)]
)
def test_body_of_another_length(declared: str, sent: bytes, status: int) -> None:
    """A body that is cut or too large is refused, not shortened."""
    with pytest.raises(Refused) as refused:
        read_body({"CONTENT_LENGTH": declared, "wsgi.input": io.BytesIO(sent)}, 100)
    assert refused.value.status == status
