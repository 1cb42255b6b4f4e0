"""The console and the door answer as they describe themselves, over a longer time."""

import os
from pathlib import Path

import pytest

from deploy.embedded.engine import Server
from tests.conftest import CertificateFiles
from tests.integration.console_site import run_site
from tests.integration.described import for_seconds
from tests.integration.test_console_described import ask_site
from tests.integration.test_door_described import push_everything

SECONDS = int(os.environ.get("FUZZ_SECONDS", "240")) // 4  # of all that `make fuzz` takes
# A run as long as this takes examples, boundaries, random values and sequences of requests.
pytestmark = [pytest.mark.long]


def test_the_console_answers_as_described(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is asked: no 5xx, every answer of the described shape."""
    with run_site(tmp_path, request) as site:
        answered = ask_site(site, tmp_path, monkeypatch, *for_seconds(SECONDS))
    print(f"console: {answered.total()} requests, by status {dict(sorted(answered.items()))}")
    assert max(answered) < 500


def test_the_door_answers_as_described(tmp_path: Path, certificates: CertificateFiles, journal_server: Server) -> None:
    """Whatever it is sent: no 5xx, every answer of the described shape."""
    answered = push_everything(tmp_path, certificates, journal_server, *for_seconds(SECONDS // 2))
    print(f"door: {answered.total()} pushes, by status {dict(sorted(answered.items()))}")
    assert max(answered) < 500
