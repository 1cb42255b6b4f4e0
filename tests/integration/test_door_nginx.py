"""The door behind nginx, with the shipped configuration: nginx ends TLS, the door decides whom to believe."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import pytest

from deploy.embedded.engine import Server
from tests.conftest import CertificateFiles
from tests.integration.door import (
    ETHOCA_BODY,
    ROOT,
    Equipment,
    Process,
    Sender,
    answers,
    equip,
    run_door,
    wait_for,
)
from tests.ports import free_port
from tests.programs import require_program
from tests.tether import tether


@dataclass(frozen=True, slots=True)
class Front:
    """nginx with the door behind it."""

    door: Process
    port: int
    equipment: Equipment

    def ethoca(self) -> Sender:
        """Return the sender that the source `ethoca` expects."""
        return replace(self.equipment.ethoca(self.door), port=self.port)


@contextmanager
def run_nginx(equipment: Equipment, unix_socket: Path, folder: Path) -> Iterator[int]:
    """Run nginx with the shipped configuration, its paths replaced, and return its port."""
    nginx = require_program("nginx", "nginx-light")
    port = free_port()
    content = (ROOT / "deploy" / "nginx" / "alert-intake.conf").read_text()
    for shipped, own in (
        ("listen 8443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("/run/ingress/ingress.sock", str(unix_socket)),
        ("/etc/alert-intake/tls/server.pem", str(equipment.certificates.server.certificate)),
        ("/etc/alert-intake/tls/server.key", str(equipment.certificates.server.key)),
        ("/etc/alert-intake/tls/client-ca.pem", str(equipment.certificates.ca)),
    ):
        assert content.count(shipped) >= 1, shipped
        content = content.replace(shipped, own)
    folder.mkdir()
    (folder / "alert-intake.conf").write_text(content)
    places = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.getuid() == 0 else ""
    main = folder / "nginx.conf"
    main.write_text(
        f"{user}\ndaemon off;\nworker_processes 1;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{places}include {folder}/alert-intake.conf;\n}}\n"
    )
    with (folder / "stderr").open("wb") as errors:
        command = tether([nginx, "-p", folder, "-c", main], signal.SIGTERM)
        process = subprocess.Popen(command, stderr=errors)
    try:
        wait_for(lambda: answers(f"127.0.0.1:{port}") or process.poll() is not None)
        assert process.poll() is None, (folder / "stderr").read_text()
        yield port
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def equipment(tmp_path: Path, certificates: CertificateFiles, journal_server: Server) -> Equipment:
    """Configure a door behind a proxy."""
    own = equip(tmp_path / "door", certificates, journal_server.url)
    own.configure(("[sealing]", "[door]\nproxy = true\n\n[sealing]"))
    own.empty_journal()
    return own


@pytest.fixture
def unix_socket(engines_folder: Path) -> Path:
    """Return a path that is short enough for a socket."""
    return engines_folder / "door.sock"


@pytest.fixture
def front(equipment: Equipment, unix_socket: Path, tmp_path: Path) -> Iterator[Front]:
    """Run the door and nginx in front of it."""
    with (
        run_door(equipment.environment, tmp_path / "log", bind=f"unix:{unix_socket}") as door,
        run_nginx(equipment, unix_socket, tmp_path / "nginx") as port,
    ):
        yield Front(door, port, equipment)


def test_push_through_nginx(front: Front, unix_socket: Path) -> None:
    """A push goes through nginx as it goes to the door itself, and the socket between them is closed to others."""
    assert unix_socket.stat().st_mode & 0o777 == 0o700
    answer = front.ethoca().push(headers={"X-Client-Address": "203.0.113.9"})
    assert (answer.status, answer.json["status"]) == (200, "success"), answer.text
    line = front.door.line(answer.headers["X-Request-Id"])
    assert line["address"] == "127.0.0.1"
    assert len(line["certificate"]) == 16
    assert [envelope.body for envelope in front.equipment.journaled().values()] == [ETHOCA_BODY]
    reseller = replace(front.equipment.reseller(front.door), port=front.port)
    assert reseller.push("/push/reseller", b'{"payload": {"providerId": "P"}}').status == 200


@pytest.mark.parametrize("name", [None, "unlisted", "foreign", "expired", "server_only", "revoked"])
def test_certificates_that_are_refused_behind_nginx(
    front: Front, certificates: CertificateFiles, name: str | None
) -> None:
    """Behind the proxy every certificate that will not do is 403 in the error envelope, whoever finds it out."""
    pair = getattr(certificates, name) if name else None
    answer = replace(front.ethoca(), pair=pair).push()
    assert answer.status == 403, answer.text
    assert answer.fault["ReasonCode"] == "ACCESS_DENIED"
    assert len(answer.headers["X-Request-Id"]) == 32
    assert answer.headers["Content-Type"] == "application/json"
    assert front.equipment.journaled() == {}


def test_certificate_in_a_header_of_the_sender(front: Front, certificates: CertificateFiles) -> None:
    """What a sender writes into the proxy's header is overwritten, however it spells it."""
    escaped = quote(certificates.client.certificate.read_text())
    for name in ("X-Client-Cert", "x-client-cert", "X_Client_Cert"):
        answer = replace(front.ethoca(), pair=None).push(headers={name: escaped})
        assert answer.status == 403, name
        answer = replace(front.ethoca(), pair=certificates.unlisted).push(headers={name: escaped})
        assert answer.status == 403, name


def test_nginx_answers_for_a_door_that_is_gone(front: Front) -> None:
    """While the door is away nginx says 503 in the same envelope; too large a body is 413 by either of them."""
    assert front.ethoca().push(body=b" " * (1024 * 1024 + 1)).status == 413
    assert front.ethoca().push(body=b" " * (2 * 1024 * 1024 + 1)).fault["ReasonCode"] == "PAYLOAD_TOO_LARGE"
    front.door.popen.terminate()
    front.door.popen.wait(15)
    answer = front.ethoca().push()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert answer.fault["Recoverable"] is True
