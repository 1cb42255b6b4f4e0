"""A certificate in a header is believed only from the configured proxy, and no request hides in another."""

import base64
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from deploy.embedded.engine import Server
from tests.authorities import make_authority_under
from tests.conftest import CertificateFiles
from tests.gunicorn import run_door
from tests.integration.door import Equipment, Sender, equip
from tests.integration.raw import exchange, exchange_tls, request
from tests.integration.smuggling import certificate_lines, framings
from tests.integration.test_door_nginx import Front, files_of
from tests.nginx import run_nginx

LOCAL = '[door.proxy]\nheader = "{}"\nnetworks = ["127.0.0.0/8"]\n\n[sealing]'


@pytest.fixture
def equipment(tmp_path: Path, certificates: CertificateFiles, journal_server: Server) -> Equipment:
    """Configure a door on an empty journal."""
    own = equip(tmp_path / "door", certificates, journal_server.url)
    own.empty_journal()
    return own


@pytest.fixture
def certificate(certificates: CertificateFiles) -> x509.Certificate:
    """Return the certificate that everybody would like to have."""
    return x509.load_pem_x509_certificate(certificates.client.certificate.read_bytes())


@pytest.fixture
def front(equipment: Equipment, engines_folder: Path, tmp_path: Path) -> Iterator[Front]:
    """Run the door behind nginx."""
    equipment.configure(("[sealing]", "[door]\nproxy = true\n\n[sealing]"))
    bind = engines_folder / "smuggling.sock"
    with (
        run_door(equipment.environment, tmp_path / "log", bind=f"unix:{bind}") as door,
        run_nginx(files_of(equipment), bind, tmp_path / "nginx") as nginx,
    ):
        yield Front(door, nginx, equipment)


def try_all(sender: Sender, certificate: x509.Certificate, own: list[Sender]) -> int:
    """Try every way as each of the senders; return how many tries that were. None may be let in."""
    tries = 0
    for stranger in own:
        for name, lines in certificate_lines(certificate):
            answer = exchange_tls(stranger, request(sender, *lines))
            assert b" 200 " not in answer, f"{name}: {answer[:500]!r}"
            assert b" 50" not in answer[:20], f"{name}: {answer[:500]!r}"
            tries += 1
        for name, data in framings(sender, certificate):
            answer = exchange_tls(stranger, data)
            assert b" 200 " not in answer, f"{name}: {answer[:500]!r}"
            assert b" 50" not in answer[:20], f"{name}: {answer[:500]!r}"
            tries += 1
    return tries


def test_nobody_smuggles_a_certificate_past_the_door(
    equipment: Equipment, certificate: x509.Certificate, tmp_path: Path
) -> None:
    """Without a proxy no header is a certificate, whoever sends it, and no second request hides in a first."""
    with run_door(equipment.environment, tmp_path) as door:
        sender = equipment.ethoca(door)
        strangers = [replace(sender, pair=None), replace(sender, pair=equipment.certificates.unlisted)]
        tries = try_all(sender, certificate, strangers)
        assert tries > 150
        assert equipment.journaled() == {}
        assert b" 200 OK" in exchange_tls(sender, request(sender))
    assert len(equipment.journaled()) == 1


def test_nobody_smuggles_a_certificate_past_nginx(front: Front, certificate: x509.Certificate) -> None:
    """Through the shipped nginx likewise: what the sender writes is overwritten, dropped or refused."""
    sender = front.ethoca()
    strangers = [replace(sender, pair=None), replace(sender, pair=front.equipment.certificates.unlisted)]
    assert try_all(sender, certificate, strangers) > 150
    assert front.equipment.journaled() == {}
    assert b" 200 OK" in exchange_tls(sender, request(sender))


def test_forged_header_beside_the_proxys_own(
    equipment: Equipment,
    certificate: x509.Certificate,
    certificates: CertificateFiles,
    engines_folder: Path,
    tmp_path: Path,
) -> None:
    """Should a proxy ever add its header instead of replacing the sender's, the two together are not believed."""
    equipment.configure(("[sealing]", "[door]\nproxy = true\n\n[sealing]"))
    bind = str(engines_folder / "forged.sock")
    unlisted = x509.load_pem_x509_certificate(certificates.unlisted.certificate.read_bytes())
    forged = own_header(certificate)
    with run_door(equipment.environment, tmp_path, bind=f"unix:{bind}") as door:
        sender = equipment.ethoca(door)
        for lines in ([forged, own_header(unlisted)], [own_header(unlisted), forged], [forged, forged]):
            answer = push_plainly(bind, request(sender, *lines))
            assert answer.startswith(b"HTTP/1.1 403"), answer
        assert push_plainly(bind, request(sender, forged)).startswith(b"HTTP/1.1 200")


def test_long_chain_by_rfc_9440(
    equipment: Equipment, certificate: x509.Certificate, engines_folder: Path, tmp_path: Path
) -> None:
    """A proxy may hand over eight authorities beside the certificate, each as large as one of RSA with 4096 bits."""
    names = ",".join(f"OU={number} {'x' * 60}" for number in range(13))
    chain = [make_authority_under(None, f"CN={number},{names}").certificate for number in range(8)]
    assert all(2000 < len(one.public_bytes(Encoding.DER)) < 2900 for one in chain)
    equipment.configure(("[sealing]", '[door.proxy]\nheader = "rfc9440"\n\n[sealing]'))
    bind = str(engines_folder / "chain.sock")
    with run_door(equipment.environment, tmp_path / "log", bind=f"unix:{bind}") as door:
        own = b"Client-Cert: " + field(certificate)
        above = b"Client-Cert-Chain: " + b", ".join(field(one) for one in chain)
        answer = push_plainly(bind, request(equipment.ethoca(door), own, above))
        assert answer.startswith(b"HTTP/1.1 200"), answer


def field(certificate: x509.Certificate) -> bytes:
    """Return a certificate as a byte sequence of structured fields."""
    return b":" + base64.b64encode(certificate.public_bytes(Encoding.DER)) + b":"


@pytest.mark.parametrize("kind", ["rfc9440", "alb"])
def test_other_proxies_over_their_network(
    equipment: Equipment, certificate: x509.Certificate, tmp_path: Path, kind: str
) -> None:
    """A proxy that connects from its own addresses is believed, over TLS, and nobody who connects from elsewhere."""
    equipment.configure(("[sealing]", LOCAL.format(kind)))
    wanted = {"rfc9440": "client-cert", "alb": "x-amzn-mtls-clientcert-leaf"}[kind]
    exact = {wanted + end for end in ("", ", all escaped", " named in connection", " in a trailer")}
    with run_door(equipment.environment, tmp_path) as door:
        proxy = replace(equipment.ethoca(door), pair=None)
        told = [b"X-Forwarded-For: 198.51.100.1, 203.0.113.9"]
        for name, lines in certificate_lines(certificate):
            answer = exchange_tls(proxy, request(proxy, *lines, *told))
            believed = b" 200 OK" in answer
            assert believed == (name.lower() in exact), f"{name}: {answer[:300]!r}"
        assert {line["address"] for line in door.lines() if line["event"] == "acknowledged"} == {"203.0.113.9"}
        assert equipment.ethoca(door).push().status == 403  # the proxy showed no certificate of a client


def test_proxy_elsewhere_is_nobody_here(equipment: Equipment, certificate: x509.Certificate, tmp_path: Path) -> None:
    """Where the proxy connects from other addresses, its header means nothing from here."""
    equipment.configure(("[sealing]", LOCAL.format("rfc9440").replace("127.0.0.0/8", "192.0.2.0/24")))
    with run_door(equipment.environment, tmp_path) as door:
        sender = equipment.ethoca(door)
        for name, lines in certificate_lines(certificate):
            assert b" 200 " not in exchange_tls(replace(sender, pair=None), request(sender, *lines)), name
        assert sender.push().status == 200


def own_header(certificate: x509.Certificate) -> bytes:
    """Return the header as nginx writes it."""
    return dict(certificate_lines(certificate))["X-Client-Cert, all escaped"][0]


def push_plainly(bind: str, data: bytes) -> bytes:
    """Send bytes over the unix socket, as the proxy does."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(bind)
        return exchange(connection, data)
