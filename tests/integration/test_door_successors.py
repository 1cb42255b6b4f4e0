"""A worker process that takes another's place begins with what was good last, whatever the files hold just then."""

import base64
import http.client
import os
import signal
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from deploy.embedded.certificate_files import CLIENT_SUBJECT, read_pair, write_pair
from deploy.embedded.certificates import issue_certificate, make_authority
from deploy.embedded.engine import Server
from deploy.embedded.revocations import make_crl
from tests.conftest import CertificateFiles
from tests.e2e.processes import descendants
from tests.gunicorn import Process, run_door, run_platform, wait_for
from tests.integration.door import Equipment, Sender, basic
from tests.integration.rotation import equip_apart, processes_that_said, wait_for_all, workers_of

PROXY = '[door.proxy]\nheader = "rfc9440"\nnetworks = ["127.0.0.0/8"]\n\n[sealing]'


@pytest.fixture
def equipment(tmp_path: Path, certificates: CertificateFiles, journal_server: Server) -> Equipment:
    """Configure a door with files of its own, to be changed."""
    return equip_apart(tmp_path, certificates, journal_server.url)


def replace_worker(door: Process) -> None:
    """Kill the oldest worker process, and wait for its successor."""
    started = workers_of(door)
    os.kill(next(one for one in started if Path(f"/proc/{one}").exists()), signal.SIGKILL)
    wait_for(lambda: len(workers_of(door)) > len(started))


def wait_for_master(door: Process, event: str) -> None:
    """Wait until gunicorn's master has said it, too."""
    wait_for(lambda: door.popen.pid in processes_that_said(door, event), 30)


def answers_of(sender: Sender) -> set[str]:
    """Return the status of some pushes, each on a connection of its own; "refused" where there was no connection."""
    answers = set()
    for _ in range(10):
        try:
            answers.add(str(sender.push().status))
        except (ssl.SSLError, ConnectionError, http.client.HTTPException):
            answers.add("refused")
    return answers


def break_configuration(equipment: Equipment) -> None:
    """Leave the file half edited."""
    equipment.file.write_text(equipment.file.read_text() + "\n[sealing")


def take_secret(equipment: Equipment) -> None:
    """Take the file of a password away."""
    (equipment.file.parent / "secrets" / "ethoca_password").unlink()


@pytest.mark.parametrize("spoil", [break_configuration, take_secret])
def test_configuration_that_cannot_be_used(
    equipment: Equipment, spoil: Callable[[Equipment], None], tmp_path: Path
) -> None:
    """One worker after the other is killed meanwhile: neither the door nor any push ends, and what is mended counts."""
    password = equipment.file.parent / "secrets" / "ethoca_password"
    good = {file: file.read_text() for file in (equipment.file, password)}
    with run_door(equipment.environment, tmp_path / "log", workers=2) as door:
        sender = equipment.ethoca(door)
        spoil(equipment)
        for _ in range(2):
            replace_worker(door)
            assert answers_of(sender) == {"200"}
        for file, content in good.items():
            file.write_text(content)
        password.write_text("another password\n")
        wait_for(lambda: answers_of(replace(sender, headers=basic("ethoca", "another password"))) == {"200"})
        assert len(workers_of(door)) == 4


def test_platform_whose_worker_is_replaced(equipment: Equipment, tmp_path: Path) -> None:
    """Nor does the platform's listener end, which has one worker only."""
    with run_platform(equipment.environment, tmp_path / "log") as platform:
        (first,) = wait_for(lambda: descendants(platform.popen.pid))
        break_configuration(equipment)
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: [one for one in descendants(platform.popen.pid) if one != first])
        with urlopen(f"http://{platform.bind}/livez", timeout=20) as answer:
            assert answer.status == 200


def test_password_that_was_taken_away(equipment: Equipment, tmp_path: Path) -> None:
    """An earlier password does not come back with a worker that begins while the configuration cannot be used."""
    with run_door(equipment.environment, tmp_path / "log") as door:
        old = equipment.ethoca(door)
        new = replace(old, headers=basic("ethoca", "another password"))
        (equipment.file.parent / "secrets" / "ethoca_password").write_text("another password\n")
        wait_for_master(door, "pins and credentials renewed")
        break_configuration(equipment)
        replace_worker(door)
        assert [answers_of(old), answers_of(new)] == [{"401"}, {"200"}]


@pytest.mark.parametrize("behind_proxy", [False, True])
def test_revocation_before_a_list_that_cannot_be_used(
    equipment: Equipment, certificates: CertificateFiles, tmp_path: Path, *, behind_proxy: bool
) -> None:
    """Who was revoked stays so for a worker that begins when the list has become rubbish, and others still push."""
    authority = read_pair(certificates.ca.parent, "ca")
    assert authority is not None
    if behind_proxy:
        equipment.configure(("[sealing]", PROXY))
    with run_door(equipment.environment, tmp_path / "log") as door:
        going, staying = (issue_certificate(authority, CLIENT_SUBJECT, side="client") for _ in range(2))
        senders = []
        for name, issued in (("going", going), ("staying", staying)):
            sender = replace(equipment.ethoca(door), pair=write_pair(tmp_path, name, issued))
            der = base64.b64encode(issued.certificate.public_bytes(Encoding.DER)).decode()
            handed = replace(sender, pair=None, headers={**sender.headers, "Client-Cert": f":{der}:"})
            senders.append(handed if behind_proxy else sender)
        assert [answers_of(sender) for sender in senders] == [{"200"}, {"200"}]
        (tmp_path / "crl.pem").write_bytes(make_crl(authority, [going.certificate]))
        wait_for_all(door)
        wait_for_master(door, "certificates renewed")
        (tmp_path / "crl.pem").write_bytes(b"rubbish")
        wait_for_master(door, "certificates not renewed")
        replace_worker(door)
        refused = "403" if behind_proxy else "refused"
        assert [answers_of(sender) for sender in senders] == [{refused}, {"200"}]


def test_pin_that_waits_for_a_restart(equipment: Equipment, certificates: CertificateFiles, tmp_path: Path) -> None:
    """A name that is pinned for other authorities counts under the old ones for no worker, begun before or after."""
    authority = read_pair(certificates.ca.parent, "ca")
    assert authority is not None
    newcomer = write_pair(tmp_path, "newcomer", issue_certificate(authority, "CN=newcomer", side="client"))
    (tmp_path / "private.pem").write_bytes(make_authority("CN=private").certificate_pem())
    with run_door(equipment.environment, tmp_path / "log") as door:
        sender = equipment.ethoca(door)
        equipment.configure((f'"{CLIENT_SUBJECT}"', '"CN=newcomer"'), ("ca.pem", "private.pem"))
        wait_for_master(door, "pins and credentials renewed")
        replace_worker(door)
        assert [answers_of(replace(sender, pair=newcomer)), answers_of(sender)] == [{"403"}, {"200"}]


def test_gunicorn_that_reads_its_settings_anew(equipment: Equipment, tmp_path: Path) -> None:
    """A SIGHUP is as good as a restart: the door then begins with the configuration as it is, and follows it."""
    with run_door(equipment.environment, tmp_path / "log") as door:
        sender = equipment.ethoca(door)
        equipment.configure(("[sealing]", "[door]\nmax_body = 5\n\n[sealing]"))
        door.popen.send_signal(signal.SIGHUP)
        wait_for(lambda: answers_of(sender) == {"413"})
        (equipment.file.parent / "secrets" / "ethoca_password").write_text("another password\n")
        wait_for_master(door, "pins and credentials renewed")
        assert answers_of(sender) == {"401"}
