"""The door as a process of its own, and a sender that speaks to it over real TLS."""

import base64
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import redis

from deploy.embedded.settings import Secrets, ensure_secrets, write_configuration
from schemas.configuration import load_configuration
from schemas.envelope import Envelope, open_envelope
from schemas.keyring import load_keyring
from tests.conftest import CertificateFiles
from tests.ports import free_port
from tests.tether import tether

ROOT = Path(__file__).resolve().parents[2]
STREAM = "alert-intake:journal"
Value = TypeVar("Value")
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


@dataclass(slots=True)
class Process:
    """A running gunicorn and what it wrote."""

    popen: subprocess.Popen[bytes]
    bind: str
    output: Path
    errors: Path

    @property
    def port(self) -> int:
        """The port it listens on, 0 on a unix socket."""
        return 0 if self.bind.startswith("unix:") else int(self.bind.rpartition(":")[2])

    def written(self) -> list[dict[str, Any]]:
        """Return all log lines written so far; one that is being written is left for later."""
        whole, _, _ = self.output.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def lines(self) -> list[dict[str, Any]]:
        """Return the log lines about connections, requests and files."""
        return [line for line in self.written() if line["event"] != "worker ready"]

    def ready(self) -> int:
        """Return how many worker processes have started."""
        return len(self.written()) - len(self.lines())

    def line(self, request_id: str) -> dict[str, Any]:
        """Return the one line about a request. It is written before the answer is sent."""
        (found,) = [line for line in self.lines() if line.get("request_id") == request_id]
        return found


def wait_for(condition: Callable[[], Value], seconds: float = 15.0) -> Value:
    """Wait until a condition holds and return what it returned; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


def answers(bind: str) -> bool:
    """Say whether somebody listens."""
    family = socket.AF_UNIX if bind.startswith("unix:") else socket.AF_INET
    with socket.socket(family) as probe:
        return probe.connect_ex(bind[5:] if family == socket.AF_UNIX else ("127.0.0.1", int(bind.split(":")[1]))) == 0


@contextmanager
def run_gunicorn(file: str, app: str, environment: dict[str, str], bind: str, folder: Path) -> Iterator[Process]:
    """Run one of the door's two servers until the block ends, and expect it to end cleanly."""
    folder.mkdir(parents=True, exist_ok=True)
    name = app.partition(":")[0]
    output, errors = folder / f"{name}.out", folder / f"{name}.err"
    with output.open("wb") as out, errors.open("wb") as err:
        popen = subprocess.Popen(
            tether([sys.executable, "-m", "gunicorn", "-c", file, app]),
            cwd=ROOT, env=environment, stdout=out, stderr=err, start_new_session=True,
        )  # fmt: skip
    try:
        wait_for(lambda: answers(bind) or popen.poll() is not None)
        assert popen.poll() is None, errors.read_text()
        yield Process(popen, bind, output, errors)
    finally:
        popen.terminate()
        try:
            status = popen.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(popen.pid, signal.SIGKILL)
            popen.wait()
            raise
    assert status == 0, errors.read_text()
    assert "Traceback" not in errors.read_text(), errors.read_text()


@contextmanager
def run_door(
    environment: dict[str, str], folder: Path, *, workers: int = 1, bind: str | None = None
) -> Iterator[Process]:
    """Run the door."""
    bind = bind or f"127.0.0.1:{free_port()}"
    own = environment | {"INGRESS_BIND": bind, "INGRESS_WORKERS": str(workers)}
    with run_gunicorn("deploy/gunicorn.conf.py", "ingress.app:create_app()", own, bind, folder) as process:
        wait_for(lambda: process.ready() >= workers)
        yield process


@contextmanager
def run_platform(environment: dict[str, str], folder: Path) -> Iterator[Process]:
    """Run the platform's listener."""
    bind = f"127.0.0.1:{free_port()}"
    own = environment | {"PLATFORM_BIND": bind}
    with run_gunicorn("deploy/gunicorn.platform.conf.py", "ingress.health:create_app()", own, bind, folder) as process:
        yield process


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
