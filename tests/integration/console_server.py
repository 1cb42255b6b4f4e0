"""The console as a process of its own, and a client of its API."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.gunicorn import Process, run_gunicorn
from tests.ports import free_port


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody who asks the console, with a token."""

    url: str
    token: str
    process: Process

    def ask(self, path: str, method: str = "GET", **query: object) -> requests.Response:
        """Send a request with the token."""
        headers = {"Authorization": f"Bearer {self.token}"}
        parameters: Any = query
        return requests.request(method, self.url + path, params=parameters, headers=headers, timeout=20)

    def begin(self, path: str) -> requests.Response:
        """Send a request with the token and read no more of the answer than its head."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return requests.get(self.url + path, headers=headers, timeout=20, stream=True)

    def get(self, path: str, **query: object) -> Any:  # noqa: ANN401 - any JSON
        """Return what the API answers with 200."""
        answer = self.ask(path, "GET", **query)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "application/json"
        return answer.json()

    def problem(self, path: str, method: str = "GET", **query: object) -> Mapping[str, Any]:
        """Return the problem that the API answers with."""
        answer = self.ask(path, method, **query)
        assert answer.headers["Content-Type"] == "application/problem+json", answer.text
        problem: dict[str, Any] = answer.json()
        assert problem["status"] == answer.status_code
        assert set(problem) == {"type", "title", "status", "detail"}
        return problem


@contextmanager
def run_console(environment: dict[str, str], token: str, folder: Path) -> Iterator[Client]:
    """Run the console until the block ends."""
    bind = f"127.0.0.1:{free_port()}"
    own = environment | {"CONSOLE_BIND": bind}
    with run_gunicorn("deploy/gunicorn.console.conf.py", "console.app:create_app()", own, bind, folder) as process:
        yield Client(f"http://{bind}", token, process)
