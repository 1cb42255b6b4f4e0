"""Who may push while the configuration changes: as the file says, as before, or nobody; never a mixture of two."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from ingress import admissions
from ingress.admissions import Admissions
from ingress.app import build_app
from ingress.identity.certificate import Certificate
from ingress.identity.subject import read_name
from ingress.receive import Reception
from ingress.settings import Settings, load_settings
from ingress.trust import files

PINNED = 'certificate = "required"\nsubjects = ["CN=sender"]'
OPTIONAL = 'certificate = "optional"'
OTHER = ("other", OPTIONAL, "OTHER")
WORDS = {"FIRST": "first", "SECOND": "second", "OTHER": "other"}
Source = tuple[str, str] | tuple[str, str, str]


def certificate(name: str) -> Certificate:
    """Return a certificate that was verified."""
    return Certificate(name, read_name(f"CN={name}"), frozenset(), datetime.now(UTC), datetime.now(UTC))


@dataclass(slots=True)
class House:
    """A door of one process, its configuration file, and whoever stands before it."""

    file: Path
    shown: Certificate | None = None
    client: FlaskClient = field(init=False)

    def write(self, *sources: Source, tls: str = "/ca.pem") -> None:
        """Write the configuration: name, lines and the variable of the password, if any, of each source."""
        content = f'[tls]\ncertificate = "/c"\nkey = "/k"\nclient_ca = "{tls}"\n'
        content += '[sealing]\nkeys = {env = "KEY"}\nmatching = {env = "KEY"}\n'
        for name, lines, *variables in sources:
            content += f'[[sources]]\nname = "{name}"\nformat = "ethoca"\npaths = ["/{name}"]\n{lines}\n'
            for variable in variables:
                content += f'[[sources.credentials]]\nscheme = "header"\nname = "Key"\nvalue = {{env = "{variable}"}}\n'
        self.file.write_text(content)

    def open(self) -> None:
        """Start the door with the configuration as it is now."""
        now = Admissions()
        settings = now.began
        door = settings.configuration.door
        reception = Reception(door, lambda _: self.shown, Journal(), now)  # type: ignore[arg-type]  # has the one method
        self.client = build_app(settings, reception).test_client()

    def push(self, word: str | None = None, name: str | None = None, path: str = "/push/x") -> int:
        """Push with this password and a certificate of this name; return the status, of errors in their envelope."""
        self.shown = certificate(name) if name else None
        headers = {"Key": word} if word else {}
        answer = self.client.post(path, data=b'{"alertId": "A"}', content_type="application/json", headers=headers)
        assert answer.status_code == 200 or answer.get_json()["Errors"]["Error"][0]["Source"] == "alert-intake"
        return answer.status_code


class Journal:
    """Stands for the journal where only the door's answer is looked at."""

    def enqueue(self, _envelope: object) -> str:
        """Take an envelope."""
        return "1-0"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """Return a house whose door looks at its files for every push."""
    monkeypatch.setattr(files, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(files, "REST_SECONDS", 0.0)
    monkeypatch.setenv("ALERT_INTAKE_CONFIG", str(tmp_path / "alert-intake.toml"))
    monkeypatch.setenv("JOURNAL_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("KEY", "A" * 43 + "=")
    for name, word in WORDS.items():
        monkeypatch.setenv(name, word)
    return House(tmp_path / "alert-intake.toml")


def told(capfdbinary: Any, level: str) -> list[tuple[str, str, str]]:  # noqa: ANN401 - untyped fixture
    """Return what the log said at this level since the last time: event, source and reason."""
    lines = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    return [(line["event"], line["source"], line["why"]) for line in lines if line["level"] == level]


def test_source_that_begins_to_demand_a_certificate(house: House) -> None:
    """From a key to pins without any header: a stranger with neither is not let in for a moment."""
    house.write(("x", OPTIONAL, "FIRST"))
    house.open()
    assert house.push("first") == 200
    house.write(("x", PINNED))
    assert [house.push(), house.push("first"), house.push(name="stranger")] == [403, 403, 403]
    assert house.push(name="sender") == 200


def test_source_that_demands_no_certificate_any_more(house: House) -> None:
    """From pins to a key, where others connect without a certificate: the key counts, and nobody is kept out."""
    house.write(("x", PINNED), OTHER)
    house.open()
    assert house.push(name="sender") == 200
    house.write(("x", OPTIONAL, "FIRST"), OTHER)
    assert [house.push("first"), house.push("first", "anybody"), house.push(name="sender")] == [200, 200, 401]


def test_source_whose_senders_cannot_connect_without_a_certificate(house: House, capfdbinary: Any) -> None:  # noqa: ANN401 - untyped fixture
    """From pins to a key, where the listener demands certificates: all stays as it was until the restart."""
    house.write(("x", PINNED, "FIRST"))
    house.open()
    house.write(("x", PINNED, "OTHER"))
    assert house.push("other", "sender") == 200
    house.write(("x", OPTIONAL, "SECOND"))
    assert [house.push(word, "sender") for word in WORDS.values()] == [401, 401, 200]
    assert [house.push(word) for word in WORDS.values()] == [403, 403, 403]
    ((event, source, why),) = told(capfdbinary, "error")
    assert (event, source) == ("source not renewed", "x")
    assert 'certificate = "optional"' in why
    assert "restart the door" in why
    house.open()
    assert house.push("second") == 200


def test_restart_that_the_listener_needs(house: House, capfdbinary: Any) -> None:  # noqa: ANN401 - untyped fixture
    """The log asks for a restart once every source demands a certificate: so does the listener only from then on."""
    house.write(("x", PINNED), ("y", OPTIONAL, "FIRST"), OTHER)
    house.open()
    for changed in (("other", OPTIONAL, "OTHER"), ("other", PINNED)):
        house.write(("x", PINNED), ("y", PINNED), changed)
        assert house.push(name="sender", path="/push/y") == 200
    lines = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [line["restart_needed"] for line in lines if "restart_needed" in line] == [False, True]


def test_pins_of_other_authorities(house: House, capfdbinary: Any) -> None:  # noqa: ANN401 - untyped fixture
    """A name pinned under another client_ca is not believed under the present one, and the log asks for a restart."""
    house.write(("x", PINNED), OTHER)
    house.open()
    house.write(("x", PINNED.replace("sender", "newcomer")), ("other", OPTIONAL, "SECOND"), tls="/private.pem")
    assert [house.push(name="newcomer"), house.push(name="sender")] == [403, 200]
    assert [house.push("other", path="/other"), house.push("second", path="/other")] == [401, 200]
    ((event, source, why),) = told(capfdbinary, "error")
    assert (event, source) == ("source not renewed", "x")
    assert "tls.client_ca" in why
    assert "restart the door" in why


@pytest.mark.parametrize("path", ["/push/x", "/x"])
@pytest.mark.parametrize("rest", [(OTHER,), (("renamed", OPTIONAL, "FIRST"), OTHER)])
def test_source_that_is_taken_out(house: House, path: str, rest: tuple[Source, ...], capfdbinary: Any) -> None:  # noqa: ANN401 - untyped fixture
    """Once a source is gone or renamed, neither its last password opens its paths nor that of the door's start."""
    house.write(("x", OPTIONAL, "FIRST"), OTHER)
    house.open()
    house.write(("x", OPTIONAL, "SECOND"), OTHER)
    assert [house.push("first"), house.push("second")] == [401, 200]
    house.write(*rest)
    assert [house.push(word, path=path) for word in ("first", "second", None)] == [401, 401, 401]
    ((event, source, _why),) = told(capfdbinary, "warning")
    assert (event, source) == ("source withdrawn", "x")
    assert house.push("other", path="/other") == 200


@pytest.mark.parametrize("variables", [("FIRST",), ()])
def test_source_with_pins_that_is_taken_out(house: House, variables: tuple[str, ...]) -> None:
    """The certificate of a sender who left opens nothing, whether there was a header or not."""
    house.write(("x", PINNED, *variables), OTHER)  # type: ignore[arg-type]  # one or none
    house.open()
    assert house.push("first", "sender") == 200
    house.write(OTHER)
    assert [house.push("first", "sender"), house.push("first")] == [403, 403]


def test_source_that_comes_back(house: House, capfdbinary: Any) -> None:  # noqa: ANN401 - untyped fixture
    """A source that is named again counts as the file says then; that it was gone was told once."""
    house.write(("x", OPTIONAL, "FIRST"), OTHER)
    house.open()
    house.write(OTHER)
    assert house.push("first") == 401
    house.write(("other", OPTIONAL, "SECOND"))
    assert house.push("first") == 401
    assert len(told(capfdbinary, "warning")) == 1
    house.write(("x", OPTIONAL, "SECOND"), OTHER)
    assert [house.push("first"), house.push("second")] == [401, 200]


@pytest.mark.parametrize("content", ["= broken", "", "[sealing]\n", None])
def test_file_that_cannot_be_used(house: House, content: str | None) -> None:
    """What was good last stays good, and not what the door began with."""
    house.write(("x", OPTIONAL, "FIRST"), OTHER)
    house.open()
    house.write(("x", OPTIONAL, "SECOND"), OTHER)
    assert house.push("second") == 200
    house.file.unlink() if content is None else house.file.write_text(content)
    assert [house.push("first"), house.push("second")] == [401, 200]


@pytest.mark.parametrize("runs", [False, True])
def test_file_that_changes_while_it_is_read(house: House, monkeypatch: pytest.MonkeyPatch, *, runs: bool) -> None:
    """A password that is replaced just after it was read is not missed, when the door starts or while it runs."""
    file, replaced_by = house.file.parent / "password", ["second", "third"]

    def load_and_replace() -> Settings:
        settings = load_settings()
        if replaced_by:
            file.write_text(replaced_by.pop(0))
        return settings

    file.write_text("first")
    house.write(("x", OPTIONAL, "FIRST"), OTHER)
    if runs:
        house.open()
    house.file.write_text(house.file.read_text().replace('{env = "FIRST"}', f'{{file = "{file}"}}'))
    monkeypatch.setattr(admissions, "load_settings", load_and_replace)
    if not runs:
        house.open()
    for _ in range(3):
        house.push("first")
    assert [house.push(word) for word in ("first", "second", "third")] == [401, 401, 200]
