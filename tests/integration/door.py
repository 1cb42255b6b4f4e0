"""What a door is equipped with, and a sender that speaks to it over real TLS."""

import base64
import http.client
import json
import os
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import redis

from deploy.embedded.settings import Secrets, ensure_secrets, write_configuration
from schemas.journal.envelope import Envelope, open_envelope
from schemas.keyring import load_keyring
from schemas.settings.configuration import load_configuration
from tests.conftest import CertificateFiles
from tests.gunicorn import Process

STREAM = "alert-intake:journal"
ETHOCA_BODY = b'{"alertId": "A4IM9K2MIYL9F2BPF9TWUIXTU", "alertType": "CUSTOMERDISPUTE"}'


class Pair(Protocol):
    """A certificate and its key, as files."""

    @property
    def certificate(self) -> Path:
        """The certificate, PEM."""

    @property
    def key(self) -> Path:
        """Its key, PEM."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a sender gets."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON is of any type
        """The body, read as JSON."""
        return json.loads(self.text)

    @property
    def fault(self) -> dict[str, Any]:
        """The one error of an error envelope."""
        (error,) = self.json["Errors"]["Error"]
        assert isinstance(error, dict)
        return error


def basic(user: str, password: str) -> dict[str, str]:
    """Return a Basic header."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@dataclass(frozen=True, slots=True)
class Sender:
    """Somebody who pushes: trusts `ca`, shows `pair` if it has one, and says `headers`."""

    port: int
    ca: Path
    pair: Pair | None
    headers: Mapping[str, str]

    def context(self) -> ssl.SSLContext:
        """Return a fresh TLS context that verifies the server."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if self.pair is not None:
            context.load_cert_chain(self.pair.certificate, self.pair.key)
        return context

    def connect(self) -> http.client.HTTPSConnection:
        """Open a connection, for more than one request."""
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=self.context())

    def push(
        self,
        path: str = "/push/ethoca",
        body: bytes | Iterable[bytes] | None = ETHOCA_BODY,
        headers: Mapping[str, str | None] | None = None,
        *,
        method: str = "POST",
        connection: http.client.HTTPSConnection | None = None,
    ) -> Answer:
        """Send one request and return its answer. A header of None is left out; a body in pieces is sent in chunks."""
        said = {"Content-Type": "application/json"} | dict(self.headers) | dict(headers or {})
        kept = {name: value for name, value in said.items() if value is not None}
        own = connection or self.connect()
        try:
            own.request(method, path, body, kept, encode_chunked=body is not None and not isinstance(body, bytes))
            response = own.getresponse()
            return Answer(response.status, response.headers, response.read().decode())  # type: ignore[arg-type]  # a message is a mapping of its headers
        finally:
            if connection is None:
                own.close()


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a door needs to run, and what its senders need to know."""

    file: Path
    journal_url: str
    certificates: CertificateFiles
    secrets: Secrets

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the door's processes: warnings are errors in them too, where they are ours to avoid."""
        return {
            "PATH": os.environ["PATH"],
            "ALERT_INTAKE_CONFIG": str(self.file),
            "JOURNAL_URL": self.journal_url,
            "PYTHONUNBUFFERED": "1",
        }

    def configure(self, *changes: tuple[str, str]) -> None:
        """Replace text in the configuration file; ("", text) puts text in front of it."""
        content = self.file.read_text()
        for old, new in changes:
            assert old in content
            content = content.replace(old, new, 1)
        self.file.write_text(content)

    def ethoca(self, door: Process) -> Sender:
        """Return the sender that the source `ethoca` expects."""
        headers = basic("ethoca", self.secrets.ethoca_password)
        return Sender(door.port, self.certificates.ca, self.certificates.client, headers)

    def reseller(self, door: Process) -> Sender:
        """Return the sender that the source `reseller` expects: no certificate, a key in a header."""
        return Sender(door.port, self.certificates.ca, None, {"X-API-Key": self.secrets.reseller_api_key})

    def journaled(self) -> dict[str, Envelope]:
        """Return what is in the journal, by entry id, unsealed."""
        keyring = load_keyring(load_configuration(str(self.file)).sealing)
        with redis.Redis.from_url(self.journal_url, protocol=2) as client:
            entries: Any = client.xrange(STREAM)
        return {entry.decode(): open_envelope(fields, keyring) for entry, fields in entries}

    def empty_journal(self) -> None:
        """Delete all entries."""
        with redis.Redis.from_url(self.journal_url, protocol=2) as client:
            client.delete(STREAM)


def equip(folder: Path, certificates: CertificateFiles, journal_url: str) -> Equipment:
    """Write a configuration of its own into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "alert-intake.toml"
    secrets = ensure_secrets(folder / "secrets")
    write_configuration(file, certificates.development, folder / "secrets", certificates.client_subject)
    return Equipment(file, journal_url, certificates, secrets)
