"""The door behind nginx, with the shipped configuration: nginx ends TLS, the door decides whom to believe."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import pytest

from deploy.embedded.engine import Server
from deploy.embedded.revocations import make_crl
from tests.authorities import issue_client, make_authority_under, write_chain
from tests.conftest import CertificateFiles
from tests.gunicorn import Process, run_door, wait_for
from tests.integration.door import ETHOCA_BODY, Equipment, Sender, equip
from tests.nginx import Files, Nginx, run_nginx


@dataclass(frozen=True, slots=True)
class Front:
    """nginx with the door behind it."""

    door: Process
    nginx: Nginx
    equipment: Equipment

    @property
    def port(self) -> int:
        """The port that nginx listens on."""
        return self.nginx.port

    def ethoca(self) -> Sender:
        """Return the sender that the source `ethoca` expects."""
        return replace(self.equipment.ethoca(self.door), port=self.port)


def files_of(equipment: Equipment) -> Files:
    """Return what nginx has to read for senders to find the same as at the door itself."""
    server = equipment.certificates.server
    return Files(server.certificate, server.key, equipment.certificates.ca)


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
        run_nginx(files_of(equipment), unix_socket, tmp_path / "nginx") as nginx,
    ):
        yield Front(door, nginx, equipment)


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


def test_connections_between_nginx_and_the_door_are_not_kept(
    equipment: Equipment, unix_socket: Path, tmp_path: Path
) -> None:
    """Each push has a connection to the door of its own, also where nginx keeps them, as later versions do."""
    keeping = {"upstream alert_intake_door {": "upstream alert_intake_door {\n    keepalive 32;"}
    with (
        run_door(equipment.environment, tmp_path / "log", bind=f"unix:{unix_socket}") as door,
        run_nginx(files_of(equipment), unix_socket, tmp_path / "nginx", keeping) as nginx,
    ):
        sender = replace(equipment.ethoca(door), port=nginx.port)
        connection = sender.connect()
        for _ in range(3):
            assert sender.push(connection=connection).status == 200
            wait_for(lambda: connections_to(unix_socket) == 0, 10)
        connection.close()


def connections_to(unix_socket: Path) -> int:
    """Return how many connections are open at a unix socket, as its listener sees it."""
    sockets = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
    return sum(fields[-1] == str(unix_socket) and fields[5] == "03" for fields in sockets)


@pytest.mark.parametrize("known", ["root", "all but the root's list", "all", "revoked"])
def test_authorities_between_root_and_leaf(equipment: Equipment, unix_socket: Path, tmp_path: Path, known: str) -> None:
    """A chain of three authorities passes nginx, which hands on the leaf alone: the door must know them by itself."""
    root = make_authority_under(None, "CN=Root")
    upper = make_authority_under(root, "CN=Upper")
    middle = make_authority_under(upper, "CN=Middle")
    lower = make_authority_under(middle, "CN=Lower", 0)
    client, refused = issue_client(lower), issue_client(lower)
    bundle = [root] if known == "root" else [root, upper, middle, lower]
    lists = make_crl(lower, [refused.certificate]) + (make_crl(root) if known == "all" else b"")
    if known == "revoked":
        lists += make_crl(middle, [lower.certificate])
    ca, crl = tmp_path / "bundle.pem", tmp_path / "lists.pem"
    ca.write_bytes(b"".join(one.certificate_pem() for one in bundle))
    crl.write_bytes(lists)
    certificates = equipment.certificates
    equipment.configure((str(certificates.ca), str(ca)), (str(certificates.crl), str(crl)))
    whole = write_chain(tmp_path / "senders", "whole", client, lower, middle, upper)
    pairs = [whole, write_chain(tmp_path / "senders", "refused", refused, lower, middle, upper)]
    if known != "root":
        pairs.append(write_chain(tmp_path / "senders", "alone", client))
    own = replace(equipment, certificates=replace(certificates, ca=ca))
    with (
        run_door(equipment.environment, tmp_path / "log", bind=f"unix:{unix_socket}") as door,
        run_nginx(files_of(own), unix_socket, tmp_path / "nginx") as nginx,
    ):
        sender = replace(equipment.ethoca(door), port=nginx.port)
        statuses = [replace(sender, pair=pair).push().status for pair in pairs]
        origins = [line["event"] for line in door.lines()]
    assert statuses == {"root": [403, 403], "revoked": [403, 403, 403]}.get(known, [200, 403, 200])
    assert len(origins) == len(pairs), "nginx itself has refused one"
