"""A configuration that cannot be used stops the start, with one line that says which setting and where."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.embedded.engine import Server
from ingress.settings import EXIT_STATUS
from tests.conftest import CertificateFiles
from tests.gunicorn import ROOT
from tests.integration.door import Equipment, equip

COMMANDS = {
    "door": ("deploy/gunicorn.conf.py", "ingress.app:create_app()"),
    "platform": ("deploy/gunicorn.platform.conf.py", "ingress.health:create_app()"),
}


@pytest.fixture
def equipment(tmp_path: Path, certificates: CertificateFiles, journal_server: Server) -> Equipment:
    """Configure a door, to be spoilt."""
    return equip(tmp_path / "door", certificates, journal_server.url)


def start(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Try to start one of the servers, on a port of its own choice, and wait for its end."""
    file, app = COMMANDS[command]
    own = {"INGRESS_BIND": "127.0.0.1:0", "PLATFORM_BIND": "127.0.0.1:0"} | environment
    return subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", file, app],
        cwd=ROOT, env=own, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


def spoil_file(text: str) -> Callable[[Equipment], dict[str, str]]:
    """Return what puts text in front of the configuration file."""

    def spoil(equipment: Equipment) -> dict[str, str]:
        equipment.file.write_text(text + equipment.file.read_text())
        return {}

    return spoil


def spoil_certificate(equipment: Equipment) -> dict[str, str]:
    """Name a certificate that is not there."""
    equipment.configure((str(equipment.certificates.server.certificate), "/nowhere/server.pem"))
    return {}


def spoil_crl(equipment: Equipment) -> dict[str, str]:
    """Name a revocation list that is none."""
    equipment.configure((str(equipment.certificates.crl), str(equipment.file)))
    return {}


def spoil_secret(equipment: Equipment) -> dict[str, str]:
    """Take a secret away."""
    (equipment.file.parent / "secrets" / "ethoca_password").unlink()
    return {}


def spoil_subject(equipment: Equipment) -> dict[str, str]:
    """Pin a subject with a mistake in it."""
    equipment.configure(('subjects = ["CN=', 'subjects = ["KN='))
    return {}


FAULTS: list[tuple[Callable[[Equipment], dict[str, str]], str]] = [
    (spoil_file("unknown = 1\n"), "unknown"),
    (spoil_file("= broken"), "alert-intake.toml"),
    (spoil_certificate, "/nowhere/server.pem"),
    (spoil_crl, "tls.crl"),
    (spoil_secret, "ethoca_password"),
    (spoil_subject, "subjects"),
    (lambda _: {"ALERT_INTAKE_CONFIG": ""}, "ALERT_INTAKE_CONFIG"),
    (lambda _: {"JOURNAL_URL": ""}, "JOURNAL_URL"),
    (lambda _: {"INGRESS_WORKERS": "none"}, "INGRESS_WORKERS"),
    (lambda _: {"INGRESS_BIND": "unix:/nowhere/door.sock"}, "proxy = true"),
]


@pytest.mark.parametrize(("spoil", "named"), FAULTS)
def test_fault_stops_the_start_with_one_line(
    equipment: Equipment, spoil: Callable[[Equipment], dict[str, str]], named: str
) -> None:
    """The line names the setting and where it stands; nothing listens, and there is no traceback."""
    ended = start("door", equipment.environment | spoil(equipment))
    assert ended.returncode == EXIT_STATUS, ended.stderr
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert ended.stderr.startswith("alert-intake ingress: ")
    assert named in ended.stderr
    assert equipment.secrets.reseller_api_key not in ended.stderr


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_address_that_is_none_stops_the_start(equipment: Equipment, command: str) -> None:
    """An address that only the worker process can judge ends the server as well, and keeps its password."""
    ended = start(command, equipment.environment | {"JOURNAL_URL": "http://:hidden-password@127.0.0.1/"})
    assert ended.returncode == EXIT_STATUS, ended.stderr
    assert "JOURNAL_URL is no Redis address" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "hidden-password" not in ended.stderr
