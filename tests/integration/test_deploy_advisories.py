"""`make check` asks for known vulnerabilities where it can, and works where it cannot."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import deploy.advisories
from deploy.advisories import audit_lock
from deploy.check import ROOT
from tests.ports import free_port

LOCK = """flask==3.1.3 \\
    --hash=sha256:0000000000000000000000000000000000000000000000000000000000000000
click==8.5.1 \\
    --hash=sha256:0000000000000000000000000000000000000000000000000000000000000000
"""
KNOWN = {
    "vulns": [
        {
            "id": "GHSA-made-up", "summary": "made up", "details": "made up", "aliases": [],
            "affected": [{
                "package": {"name": "flask", "ecosystem": "PyPI"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
            }],
        }
    ]
}  # fmt: skip


@contextmanager
def run_service(breaks_at: str = "") -> Iterator[str]:
    """Run an advisory service that knows one vulnerability, of flask, and that may break when asked for a package."""

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]["name"]
            body = json.dumps(KNOWN if asked == "flask" else {}).encode()
            self.send_response(500 if asked == breaks_at else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/query"
        server.shutdown()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """Return a lock file of two packages."""
    file = tmp_path / "requirements.lock"
    file.write_text(LOCK)
    return file


def test_a_vulnerable_package_is_named(lock: Path) -> None:
    """What the service knows of a locked package is found, with the version that mends it."""
    with run_service() as service:
        audit = audit_lock(lock, service)
    assert audit.asked
    assert audit.found == ("flask 3.1.3: GHSA-made-up (mended in 99.0)",)


def test_a_service_that_breaks_is_not_taken_for_an_answer(lock: Path) -> None:
    """Half an audit is none: it says so, and does not fail."""
    with run_service(breaks_at="click") as service:
        audit = audit_lock(lock, service)
    assert (audit.asked, audit.found) == (False, ())
    assert "pip-audit gave up: " in audit.why


def test_an_audit_that_breaks_is_not_taken_for_a_service_that_is_away(
    lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service answers and pip-audit does not even begin: that fails the check, and says what pip-audit said."""
    monkeypatch.setattr(deploy.advisories, "IGNORED", {"--no-such-option": "why"})
    with run_service() as service:
        audit = audit_lock(lock, service)
    assert audit.asked
    assert "pip-audit broke with exit status 2: " in audit.found[0]


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}/v1/query", "http://no.such.host.invalid/v1/query"])
def test_without_the_network_nothing_fails(lock: Path, address: str) -> None:
    """A service that is not there costs some seconds at most."""
    began = time.monotonic()
    assert not audit_lock(lock, address.format(port=free_port())).asked
    assert time.monotonic() - began < 10


def test_a_service_that_says_nothing_is_left_soon(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes the question and never answers is given up."""
    monkeypatch.setattr(deploy.advisories, "REACH_SECONDS", 0.5)
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as silent:  # listens, and accepts nothing
        assert not audit_lock(lock, f"http://127.0.0.1:{silent.server_address[1]}/v1/query").asked


def test_the_whole_lock_can_be_read(tmp_path: Path) -> None:
    """The lock of the repository is one that pip-audit takes: it fails for no other reason than a finding."""
    with run_service() as service:
        audit = audit_lock(ROOT / "requirements.lock", service)
    assert audit.asked
    assert len(audit.found) == 1
    assert audit.found[0].startswith("flask ")
