"""Values that are easily found again, where they were put, and the search for them in all that was written."""

import base64
import contextlib
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.attacker import Attacker
from tests.e2e.bodies import webhook
from tests.e2e.running import Stack
from tests.e2e.sender import PATIENCE
from tests.e2e.test_metrics import read_listeners
from tests.e2e.test_privacy import database_rows, disguises, files_below, redis_values
from tests.e2e.window import get, received

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
            connection.settimeout(PATIENCE)
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


def everything_written(stack: Stack, folders: list[Path]) -> Iterator[tuple[str, bytes]]:
    """Yield all that the stack has written, and all that its window, its receiver and its metrics show."""
    run = stack.facts
    yield from redis_values(run["JOURNAL_URL"])
    yield from redis_values(run["BROKER_URL"])
    yield from database_rows(run["DATABASE_URL"])
    for folder in folders:
        yield from files_below(folder)
    for path in ("/v1/alerts", "/v1/rejections", "/v1/deliveries", "/v1/subscriptions", "/v1/operations"):
        yield path, json.dumps(get(run, path)).encode()
    yield "deliveries", json.dumps(received(run)).encode()
    for text in read_listeners(stack):
        yield "metrics", text.encode()


def require_nowhere(canaries: Canaries, alert_id: str, stack: Stack, folders: list[Path]) -> None:
    """Require that no canary is in anything written or answered, and that what was pushed as `alert_id` is there.

    Nor are the run's own passwords, keys and tokens, but in the files that keep them.
    """
    forbidden = {form: value for value in canaries.values for form in disguises(value)}
    own = {
        stack.facts[name].rpartition(":")[2].encode(): name
        for name in ("ETHOCA_BASIC", "RESELLER_BASIC", "RESELLER_API_KEY", "CONSOLE_TOKEN")
    }
    searched = found = 0
    for place, content in [*everything_written(stack, folders), ("an answer", b"\n".join(canaries.answers))]:
        searched += len(content)
        found += alert_id.encode() in content
        for form, value in forbidden.items():
            assert form not in content, f"{value} is in {place}"
        if Path(place).parent.name != "secrets" and Path(place).name != "run.env":
            for secret, name in own.items():
                assert secret not in content, f"{name} is in {place}"
    assert searched > 1_000_000
    assert found > 2, "the search would not have found anything: it does not even find the alert's id"
