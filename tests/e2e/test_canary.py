"""Secrets and personal data in every place of a request, through every ending it can have: they are nowhere after."""

import base64
import contextlib
import json
import os
import secrets
import signal
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

from tests.e2e.attacker import Attacker
from tests.e2e.attacks import make_certificate
from tests.e2e.bodies import fresh_id, webhook
from tests.e2e.processes import descendants
from tests.e2e.test_privacy import database_rows, disguises, files_below, redis_values
from tests.e2e.window import find_alert, get, received, settled, wait_for

if TYPE_CHECKING:
    import socket

PAN = "4539578763621486"  # Luhn-valid, and used by no other test
ELSEWHERE = "127.0.0.99"  # so that the failures are counted for nobody else


@dataclass(slots=True)
class Canaries:
    """Values that are easily found again, each in its own place, and all that was answered to them."""

    facts: Mapping[str, str]
    password: str = field(default_factory=lambda: "canary-password-" + secrets.token_hex(12))
    api_key: str = field(default_factory=lambda: "canary-key-" + secrets.token_hex(12))
    token: str = field(default_factory=lambda: "canary-token-" + secrets.token_hex(12))
    contact: str = field(default_factory=lambda: f"canary-{secrets.token_hex(12)}@example.org")
    place: str = field(default_factory=lambda: "canaryplace" + secrets.token_hex(12))
    answers: list[bytes] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)

    @property
    def values(self) -> list[str]:
        """All of them."""
        return [PAN, self.password, self.api_key, self.token, self.contact, self.place]

    def body(self, alert_id: str) -> bytes:
        """Return a webhook full of them."""
        fields = {"descriptorContact": self.contact, "issuer": PAN, "unknown": {"deep": [PAN, self.contact]}}
        return json.dumps(webhook(alert_id, "alert.created", None, **fields)).encode()

    def send(self, data: bytes, *, certificate: bool = True) -> int:
        """Send bytes as they are, and keep what is answered; return the status, 0 for none."""
        attacker = Attacker(self.facts, 60)
        answer = b""
        with (
            contextlib.suppress(OSError),
            attacker.connect(ELSEWHERE) as plain,
            attacker.context(certificate=certificate).wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            connection.sendall(data)
            while piece := connection.recv(65536):
                answer += piece
        self.answers.append(answer)
        status = int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0
        self.statuses.add(status)
        return status

    def push(self, body: bytes, *lines: str, start: str = "POST /push/reseller", key: str | None = None) -> int:
        """Push a body with the right key unless another is given, and with further header lines."""
        said = [
            f"{start} HTTP/1.1", "Host: localhost", "Connection: close",
            f"X-API-Key: {key or self.facts['RESELLER_API_KEY']}",
            *([] if any(line.startswith("Content-Type") for line in lines) else ["Content-Type: application/json"]),
            *([] if any("chunked" in line for line in lines) else [f"Content-Length: {len(body)}"]), *lines, "", "",
        ]  # fmt: skip
        return self.send("\r\n".join(said).encode() + body)


def basic(user: str, password: str) -> str:
    """Return a header."""
    return f"Authorization: Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def refuse_everywhere(canaries: Canaries) -> None:
    """Bring about every refusal that the door knows."""
    body = canaries.body(fresh_id())
    push, place = canaries.push, canaries.place
    assert push(body[:-5]) == 400
    assert push(json.dumps({"payload": {"cardNumber": PAN, "descriptorContact": canaries.contact}}).encode()) == 400
    assert push(body, f"X-Other : {place}") == 400
    assert push(body, f"Transfer-Encoding: {place}") == 400
    assert push(b"zz\r\n" + body, "Transfer-Encoding: chunked") == 400
    assert push(body, start=f"{place} /push/reseller") == 400
    assert push(body, key=canaries.api_key) == 401
    assert push(body, basic("reseller", canaries.password), key="x") == 401
    assert push(body, f"Authorization: Bearer {canaries.token}", key="x") == 401
    assert canaries.send(f"POST /push/ethoca HTTP/1.1\r\n{basic('ethoca', PAN)}\r\nX: {place}\r\n\r\n".encode(),
                         certificate=False) == 403  # fmt: skip
    assert push(body, start=f"POST /push/{PAN}?{place}") == 404
    assert push(body, start=f"DELETE /push/reseller?password={canaries.password}") == 405
    assert push(body + b" " * 2**20) == 413
    assert push(body, start=f"POST /{place}{'x' * 5000}") == 414
    assert push(body, f"Content-Type: text/{place}") == 415
    assert push(body, f"Content-Encoding: {place}") == 415
    assert push(body, f"Expect: {place}") == 417
    assert push(body, f"X-Long: {place * 500}") == 431
    limited = [push(body, key=canaries.api_key) for _ in range(70)]
    assert limited[-1] == 429


def refuse_for_the_journal(canaries: Canaries) -> None:
    """Push while the journal does not answer."""
    with redis.Redis.from_url(canaries.facts["JOURNAL_URL"], protocol=2) as journal:
        journal.client_pause(4000)
        began = time.monotonic()
        assert canaries.push(canaries.body(fresh_id())) == 503
        assert time.monotonic() - began < 4, "the pause was over"
        journal.client_unpause()


def fail_handshakes(canaries: Canaries, folder: Path) -> None:
    """Fail to shake hands: no TLS at all, a strange name, a certificate that speaks for itself, one cut off."""
    attacker = Attacker(canaries.facts, 60)
    for data in (f"POST /{canaries.place} HTTP/1.1\r\n{basic('x', canaries.password)}\r\n\r\n", canaries.place * 50):
        with contextlib.suppress(OSError), attacker.connect(ELSEWHERE) as plain:
            plain.sendall(data.encode())
            plain.settimeout(5)
            canaries.answers.append(plain.recv(65536))
    context = attacker.context()
    context.load_cert_chain(make_certificate(folder, f"CN={canaries.place},O={PAN}"))
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        contextlib.suppress(OSError),
        attacker.connect(ELSEWHERE) as plain,
        context.wrap_socket(plain, server_hostname=f"{canaries.place}.example") as connection,
    ):
        connection.sendall(b"POST / HTTP/1.1\r\n\r\n")
        canaries.answers.append(connection.recv(65536))


def crash_workers(canaries: Canaries) -> None:
    """Have the door's processes killed, and aborted as gunicorn aborts one that hangs, in the midst of a push."""
    attacker = Attacker(canaries.facts, 60)
    body = canaries.body(fresh_id())
    head = f"POST /push/reseller HTTP/1.1\r\nX-API-Key: {canaries.facts['RESELLER_API_KEY']}\r\n"
    head += f"X-Other: {canaries.place}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    for how in (signal.SIGABRT, signal.SIGKILL):
        before = descendants(int(canaries.facts["RUN_PID"]), "ingress.app", leaves=True)
        connections: list[socket.socket] = []
        for _ in range(4):
            plain = attacker.connect(ELSEWHERE)
            connections.append(attacker.context().wrap_socket(plain, server_hostname="localhost"))
            connections[-1].sendall(head.encode() + body[:-3])
        for worker in before:
            os.kill(worker, how)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.settimeout(20)
                canaries.answers.append(connection.recv(65536))
            connection.close()

        def replaced(before: list[int] = before) -> bool:
            now = descendants(int(canaries.facts["RUN_PID"]), "ingress.app", leaves=True)
            return len(now) >= len(before) and not set(now) & set(before)

        wait_for(replaced, bool)
    wait_for(lambda: canaries.push(canaries.body(fresh_id())), lambda status: status == 200)


def everything_written(run: Mapping[str, str], folders: list[Path]) -> Iterator[tuple[str, bytes]]:
    """Yield all that the stack has written, and all that its window and its receiver show."""
    yield from redis_values(run["JOURNAL_URL"])
    yield from redis_values(run["BROKER_URL"])
    yield from database_rows(run["DATABASE_URL"])
    for folder in folders:
        yield from files_below(folder)
    for path in ("/v1/alerts", "/v1/rejections", "/v1/deliveries"):
        yield path, json.dumps(get(run, path)).encode()
    yield "deliveries", json.dumps(received(run)).encode()


@pytest.fixture
def canaries(run: Mapping[str, str]) -> Canaries:
    """Make values that nobody else has."""
    return Canaries(run)


def test_no_canary_is_found_anywhere(
    run: Mapping[str, str], run_folders: list[Path], canaries: Canaries, tmp_path: Path
) -> None:
    """Card number, password, key, token, contact, what stood in line, path or header: in no log, file or answer.

    The run's own passwords, keys and tokens likewise, but for the files that keep them.
    """
    alert_id = fresh_id()
    assert canaries.push(canaries.body(alert_id), f"X-Other: {canaries.place}") == 200
    refuse_everywhere(canaries)
    refuse_for_the_journal(canaries)
    fail_handshakes(canaries, tmp_path)
    crash_workers(canaries)
    assert canaries.statuses >= {200, 400, 401, 403, 404, 405, 413, 414, 415, 417, 429, 431, 503}
    settled(run)
    wait_for(lambda: find_alert(run, alert_id), bool)
    forbidden = {form: value for value in canaries.values for form in disguises(value)}
    own = {
        run[name].rpartition(":")[2].encode(): name
        for name in ("ETHOCA_BASIC", "RESELLER_BASIC", "RESELLER_API_KEY", "CONSOLE_TOKEN")
    }
    searched = found = 0
    for place, content in [*everything_written(run, run_folders), ("an answer", b"\n".join(canaries.answers))]:
        searched += len(content)
        found += alert_id.encode() in content
        for form, value in forbidden.items():
            assert form not in content, f"{value} is in {place}"
        if Path(place).parent.name != "secrets" and Path(place).name != "run.env":
            for secret, name in own.items():
                assert secret not in content, f"{name} is in {place}"
    assert searched > 1_000_000
    assert found > 2, "the search would not have found anything: it does not even find the alert's id"
