"""A sender as Ethoca or a reseller would be: mutual TLS, header, keep-alive, one repetition on a new connection."""

import base64
import contextlib
import http.client
import json
import queue
import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

Environment = Mapping[str, str]
PATIENCE = 30.0  # seconds that Ethoca waits for an answer


@dataclass(frozen=True, slots=True)
class Answer:
    """What the door answered. `at` is the monotonic time of the answer, `seconds` how long it took."""

    status: int
    headers: dict[str, str]
    body: bytes
    at: float
    seconds: float

    @property
    def acknowledged(self) -> bool:
        """The door promised to keep what was pushed."""
        return self.status == 200

    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """Return the parsed body."""
        return json.loads(self.body)


class Sender:
    """One connection at a time to the door, kept alive, with the client certificate unless told otherwise.

    `patience`: seconds that it waits for an answer.
    """

    def __init__(
        self, environment: Environment, source: str = "ethoca", *, certificate: bool = True, patience: float = PATIENCE
    ) -> None:
        address = urlsplit(environment["PUSH_URL"])
        self._host, self._port = str(address.hostname), int(address.port or 443)
        self._context = ssl.create_default_context(cafile=environment["CA_CERT"])
        if certificate:
            self._context.load_cert_chain(environment["CLIENT_CERT"], environment["CLIENT_KEY"])
        credentials = base64.b64encode(environment[f"{source.upper()}_BASIC"].encode()).decode()
        self._headers = {"Content-Type": "application/json", "Authorization": f"Basic {credentials}"}
        self._path = f"/push/{source}"
        self._patience = patience
        self._connection: http.client.HTTPSConnection | None = None

    def push(
        self, body: bytes | object, *, path: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Push one body (bytes as they are, anything else as JSON). Raises OSError or HTTPException."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        began = time.monotonic()
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._patience, context=self._context
            )
        try:
            self._connection.request("POST", path or self._path, content, self._headers | dict(headers or {}))
            response = self._connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if response.will_close:
            self.close()
        now = time.monotonic()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, answer, now, now - began)

    def push_twice(self, body: bytes | object) -> Answer | None:
        """Push, and once more on a new connection when that failed, as a sender would. None: refused both times."""
        for _attempt in range(2):
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer = self.push(body)
                if answer.acknowledged:
                    return answer
            self.close()
        return None

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def push_all(environment: Environment, bodies: Iterable[object], connections: int) -> list[Answer | None]:
    """Push bodies over several connections at once; return what each was answered in the end."""
    work: queue.SimpleQueue[object] = queue.SimpleQueue()
    for body in bodies:
        work.put(body)
    answers: list[Answer | None] = []

    def send() -> None:
        sender = Sender(environment)
        with contextlib.suppress(queue.Empty), contextlib.closing(sender):
            while True:
                answers.append(sender.push_twice(work.get_nowait()))

    threads = [threading.Thread(target=send) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
