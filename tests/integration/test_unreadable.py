"""Requests that cannot be read, at the listeners that speak plain HTTP: answered in their own form, quoted nowhere."""

import json
import socket
from collections.abc import Iterator

import pytest

from deploy.embedded.engine import Server
from tests.conftest import CertificateFiles
from tests.gunicorn import Process, run_platform, wait_for
from tests.integration.console_site import Site, run_site
from tests.integration.door import equip

CANARY = "4539578763621486"
BEARER = f"Bearer ait_{CANARY}"
HOST = b"Host: localhost\r\n"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"

# What is wrong, the request, and the status of its answer.
UNREADABLE = {
    "a colon is missing": (b"GET / HTTP/1.1\r\n%sAuthorization %s\r\n\r\n", 400),
    "a space before the colon": (b"GET / HTTP/1.1\r\n%sX-Other : %s\r\n\r\n", 400),
    "a folded line": (b"GET / HTTP/1.1\r\n%sX-Other: a\r\n %s\r\n\r\n", 400),
    "a control character in a value": (b"GET / HTTP/1.1\r\n%sX-Other: \0%s\r\n\r\n", 400),
    "another expectation": (b"GET / HTTP/1.1\r\n%sExpect: %s\r\n\r\n", 417),
    "an unknown transfer coding": (b"POST / HTTP/1.1\r\n%sTransfer-Encoding: %s\r\n\r\n", 400),
    "a length that is none": (b"POST / HTTP/1.1\r\n%sContent-Length: %s x\r\n\r\n", 400),
    "a header too long": (b"GET / HTTP/1.1\r\n%sX-Long: " + b"x" * 9000 + b"%s\r\n\r\n", 431),
    "too many headers": (b"GET / HTTP/1.1\r\n%s" + b"X-Other: y\r\n" * 70 + b"X-Last: %s\r\n\r\n", 431),
}
LINES = {
    "a byte that is not ASCII": (b"GET /v1/alerts?q=%s\xe9 HTTP/1.1", 400),
    "a method that is none": (b"%s() /livez HTTP/1.1", 400),
    "a version that is none": (b"GET /livez?q=%s HTTP/9.9.9", 400),
    "no version": (b"GET /livez?q=%s", 400),
    "a line too long": (b"GET /livez?q=%s" + b"x" * 5000 + b" HTTP/1.1", 414),
}
REQUESTS = {name: (request % (HOST, BEARER.encode()), status) for name, (request, status) in UNREADABLE.items()} | {
    name: (line % CANARY.encode() + b"\r\n" + HOST + b"\r\n", status) for name, (line, status) in LINES.items()
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Site]:
    """Run one console behind https for all tests here."""
    with run_site(tmp_path_factory.mktemp("site"), request, "https://alerts.example.com") as running:
        yield running


@pytest.fixture(scope="module")
def platform(
    tmp_path_factory: pytest.TempPathFactory, certificates: CertificateFiles, journal_server: Server
) -> Iterator[Process]:
    """Run one platform listener for all tests here."""
    folder = tmp_path_factory.mktemp("platform")
    with run_platform(equip(folder, certificates, journal_server.url).environment, folder) as process:
        yield process


def ask(process: Process, data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are; return status, headers and body of the answer, and expect the connection to end."""
    with socket.create_connection(("127.0.0.1", process.port), timeout=10) as connection:
        connection.sendall(data)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert CANARY.encode() not in answer, answer
    head, _, body = answer.partition(b"\r\n\r\n")
    start, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert (headers["Connection"], headers["Content-Length"]) == ("close", str(len(body)))
    return int(start.split()[1]), headers, body


def require_quiet(process: Process, statuses: list[int], event: str) -> None:
    """Wait for one line of the log for each answer, and look for the canary in all that was written."""
    written = [process.output, process.errors]

    def noted() -> list[int]:
        text = "".join(file.read_text() for file in written)
        found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return [line["status"] for line in found if line["event"] == event and line["address"] == "127.0.0.1"]

    wait_for(lambda: noted() == statuses)
    assert CANARY not in "".join(file.read_text() for file in written)


def test_console_answers_with_a_problem_and_quotes_nothing(site: Site) -> None:
    """What the console cannot read is a problem with every header that its answers have; the log names no content."""
    _, usual, _ = ask(site.client.process, b"GET /livez HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
    security = {name: value for name, value in usual.items() if name not in {"Content-Type", "Content-Length", "Date"}}
    security.pop("Server")
    assert {"Content-Security-Policy", "Strict-Transport-Security", "X-Content-Type-Options"} <= security.keys()
    for name, (request, expected) in REQUESTS.items():
        status, headers, body = ask(site.client.process, request)
        assert (status, headers["Content-Type"]) == (expected, "application/problem+json"), name
        assert security.items() <= headers.items(), name
        problem = json.loads(body)
        assert (problem["status"], problem["detail"]) == (expected, "The request cannot be read."), name
    require_quiet(site.client.process, [status for _, status in REQUESTS.values()], "unreadable")


def test_body_that_cannot_be_read_is_a_problem(site: Site) -> None:
    """A body whose chunks are none is the sender's fault, and the log does not quote it."""
    for path, detail in (
        ("/sign-in", "The form did not come whole"),
        ("/v1/subscriptions", "The request cannot be read."),
    ):
        request = (
            f"POST {path} HTTP/1.1\r\nHost: alerts.example.com\r\nOrigin: https://alerts.example.com\r\n"
            f"Authorization: Bearer {site.client.token}\r\nContent-Type: {FORM if path == '/sign-in' else JSON}\r\n"
            f"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{CANARY}zz\r\n"
        )
        status, headers, body = ask(site.client.process, request.encode())
        assert (status, headers["X-Content-Type-Options"]) == (400, "nosniff"), path
        assert json.loads(body)["detail"].startswith(detail), path
    process = site.client.process
    assert CANARY not in process.output.read_text() + process.errors.read_text()


def test_platform_answers_in_the_envelope_and_quotes_nothing(platform: Process) -> None:
    """What the platform's listener cannot read is answered in the door's envelope; the log names no content."""
    for name, (request, expected) in REQUESTS.items():
        status, headers, body = ask(platform, request)
        assert (status, headers["Content-Type"]) == (expected, "application/json"), name
        (fault,) = json.loads(body)["Errors"]["Error"]
        assert fault["Description"] == "the request cannot be read", name
    require_quiet(platform, [status for _, status in REQUESTS.values()], "refused")
