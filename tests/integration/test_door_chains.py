"""Client certificates of an authority between root and leaf, as the public ones have it, at the door's own TLS."""

import http.client
import random
import socket
import ssl
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from deploy.embedded.certificate_files import LOOPBACK, Pair, read_pair
from deploy.embedded.certificates import Issued, issue_certificate
from deploy.embedded.engine import Server
from deploy.embedded.revocations import make_crl
from tests.authorities import Hierarchy, issue_client, make_authority_under, make_hierarchy, sign, write_chain
from tests.conftest import CertificateFiles
from tests.gunicorn import Process, run_door, wait_for
from tests.integration.door import Equipment, Sender, equip
from tests.integration.raw import connected, exchange, request
from tests.integration.rotation import wait_for_all

NO_CONNECTION = (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)
ANY, CLIENT = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, ExtendedKeyUsageOID.CLIENT_AUTH
PURPOSES = {"none": ((), True), "any and clients": ((ANY, CLIENT), True), "any alone": ((ANY,), False)}


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    """Make a root, an authority between, and a client."""
    return make_hierarchy()


@dataclass(frozen=True, slots=True)
class Site:
    """A door that is not running yet, with files of trust and a server certificate of its own."""

    equipment: Equipment
    folder: Path

    def trust(self, *authorities: Issued, lists: bytes = b"") -> None:
        """Write the bundle, and the revocation lists; without any the door is to know none."""
        (self.folder / "bundle.pem").write_bytes(b"".join(one.certificate_pem() for one in authorities))
        (self.folder / "lists.pem").write_bytes(lists)
        file = self.equipment.file
        crl = f'crl = "{self.folder / "lists.pem"}"\n'
        content = file.read_text().replace(crl, "")
        bundle = f'client_ca = "{self.folder / "bundle.pem"}"\n'
        file.write_text(content.replace(bundle, bundle + crl) if lists else content)

    def sender(self, door: Process, pair: Pair) -> Sender:
        """Return the source's sender with another certificate."""
        return replace(self.equipment.ethoca(door), pair=pair)


@pytest.fixture
def site(tmp_path: Path, certificates: CertificateFiles, journal_server: Server) -> Site:
    """Configure a door."""
    own = equip(tmp_path / "door", certificates, journal_server.url)
    lines = []
    for line in own.file.read_text().splitlines():
        name = line.partition(" = ")[0]
        if name == "client_ca":
            lines.append(f'client_ca = "{tmp_path / "bundle.pem"}"')
        elif name != "crl":
            lines.append(line)
    own.file.write_text("\n".join(lines) + "\n")
    for file in (certificates.server.certificate, certificates.server.key):
        (tmp_path / file.name).write_bytes(file.read_bytes())
        own.configure((str(file), str(tmp_path / file.name)))
    return Site(own, tmp_path)


def status(sender: Sender) -> int:
    """Push on a new connection; 0: there was none."""
    try:
        return sender.push().status
    except NO_CONNECTION:
        return 0


def resume(
    sender: Sender, context: ssl.SSLContext, session: ssl.SSLSession | None
) -> tuple[bytes, ssl.SSLSession | None, bool]:
    """Push on a connection that resumes a session; return the answer, the next session, and whether it was resumed."""
    with connected(sender, context, session) as connection:
        return exchange(connection, request(sender)), connection.session, bool(connection.session_reused)


def keep(sender: Sender, context: ssl.SSLContext, session: ssl.SSLSession | None) -> http.client.HTTPSConnection:
    """Open a connection that resumes a session and stays open."""
    kept = sender.connect()
    plain = socket.create_connection(("127.0.0.1", sender.port), timeout=20)
    kept.sock = context.wrap_socket(plain, server_hostname="localhost", session=session)
    return kept


def test_chain_is_sent_and_only_the_root_is_known(site: Site, hierarchy: Hierarchy) -> None:
    """A sender that brings the authority between along needs it nowhere else; one that does not is refused."""
    site.trust(hierarchy.root)
    whole = write_chain(site.folder / "senders", "whole", hierarchy.client, hierarchy.between)
    alone = write_chain(site.folder / "senders", "alone", hierarchy.client)
    with run_door(site.equipment.environment, site.folder / "log") as door:
        assert [status(site.sender(door, pair)) for pair in (whole, alone)] == [200, 0]


@pytest.mark.parametrize("root", [True, False])
def test_leaf_is_sent_alone_and_the_authority_between_is_known(site: Site, hierarchy: Hierarchy, root: bool) -> None:
    """With the authority between in the bundle, with its root or without, a leaf needs to bring nothing along."""
    site.trust(*([hierarchy.root] if root else []), hierarchy.between)
    whole = write_chain(site.folder / "senders", "whole", hierarchy.client, hierarchy.between)
    alone = write_chain(site.folder / "senders", "alone", hierarchy.client)
    with run_door(site.equipment.environment, site.folder / "log") as door:
        assert [status(site.sender(door, pair)) for pair in (whole, alone)] == [200, 200]


@pytest.mark.parametrize("known", ["root", "both"])
def test_list_of_the_authority_between(site: Site, hierarchy: Hierarchy, known: str) -> None:
    """The list of the authority between suffices: nobody is refused because the root has none."""
    revoked = issue_client(hierarchy.between)
    bundle = [hierarchy.root] if known == "root" else [hierarchy.root, hierarchy.between]
    site.trust(*bundle, lists=make_crl(hierarchy.between, [revoked.certificate]))
    good = write_chain(site.folder / "senders", "good", hierarchy.client, hierarchy.between)
    bad = write_chain(site.folder / "senders", "bad", revoked, hierarchy.between)
    with run_door(site.equipment.environment, site.folder / "log") as door:
        assert [status(site.sender(door, pair)) for pair in (good, bad)] == [200, 0]
        wait_for(lambda: "certificate revoked" in [line.get("why") for line in door.lines()])


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_revoked_authority_between(site: Site, hierarchy: Hierarchy, version: str) -> None:
    """Whoever brings an authority that its root has revoked gets nothing, nor by resuming the session refused."""
    lists = make_crl(hierarchy.root, [hierarchy.between.certificate]) + make_crl(hierarchy.between)
    site.trust(hierarchy.root, lists=lists)
    pair = write_chain(site.folder / "senders", "client", hierarchy.client, hierarchy.between)
    with run_door(site.equipment.environment, site.folder / "log") as door:
        sender = site.sender(door, pair)
        context = sender.context()
        context.maximum_version = ssl.TLSVersion[version]
        answer, session, _ = resume(sender, context, None)
        assert answer == b""
        assert session is not None
        assert session.has_ticket
        assert resume(sender, context, session)[0] == b""
        reasons = [line["why"] for line in door.lines()]
    assert reasons == [
        "an authority of this client certificate is revoked",
        "the client certificate is not trusted here",
    ]


def test_revoked_authority_in_the_bundle(site: Site, hierarchy: Hierarchy) -> None:
    """An authority in the bundle that another one there has revoked lets nobody in; those beside it do."""
    other = make_authority_under(hierarchy.root, "CN=Client CA G3,O=Authorities", 0)
    lists = make_crl(hierarchy.root, [hierarchy.between.certificate]) + make_crl(hierarchy.between) + make_crl(other)
    site.trust(hierarchy.root, hierarchy.between, other, lists=lists)
    senders = site.folder / "senders"
    alone = write_chain(senders, "alone", hierarchy.client)
    whole = write_chain(senders, "whole", hierarchy.client, hierarchy.between)
    beside = write_chain(senders, "beside", issue_client(other))
    with run_door(site.equipment.environment, site.folder / "log") as door:
        assert [status(site.sender(door, pair)) for pair in (alone, whole, beside)] == [0, 0, 200]


def test_connection_ends_when_an_authority_between_is_revoked(site: Site, hierarchy: Hierarchy) -> None:
    """An open connection ends by itself when the root revokes the authority that it came with."""
    site.trust(hierarchy.root, lists=make_crl(hierarchy.between))
    pair = write_chain(site.folder / "senders", "client", hierarchy.client, hierarchy.between)
    with run_door(site.equipment.environment, site.folder / "log") as door:
        sender = site.sender(door, pair)
        kept = sender.connect()
        assert sender.push(connection=kept).status == 200
        lists = make_crl(hierarchy.between) + make_crl(hierarchy.root, [hierarchy.between.certificate])
        (site.folder / "lists.pem").write_bytes(lists)
        assert kept.sock.recv(1) == b""  # ended by the door
        kept.close()
        wait_for(lambda: status(sender) == 0)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_resumed_connection_outlives_rotations_of_others(
    site: Site, hierarchy: Hierarchy, certificates: CertificateFiles, version: str
) -> None:
    """A connection that resumed its session serves on when the server's certificate, or others' trust, changes."""
    development = read_pair(certificates.ca.parent, "ca")
    assert development is not None
    site.trust(hierarchy.root, lists=make_crl(hierarchy.between))
    pair = write_chain(site.folder / "senders", "client", hierarchy.client, hierarchy.between)
    renewed = issue_certificate(development, "CN=localhost", side="server", hosts=LOOPBACK)
    other = make_authority_under(None, "CN=Other Root")

    def renew_server() -> None:
        (site.folder / "server.key").write_bytes(renewed.key_pem())
        (site.folder / "server.pem").write_bytes(renewed.certificate_pem())

    def trust_another() -> None:
        bundle = hierarchy.root.certificate_pem() + other.certificate_pem()
        (site.folder / "bundle.pem").write_bytes(bundle)

    def revoke_another() -> None:
        lists = make_crl(hierarchy.between, [issue_client(hierarchy.between).certificate]) + make_crl(hierarchy.root)
        (site.folder / "lists.pem").write_bytes(lists)

    with run_door(site.equipment.environment, site.folder / "log") as door:
        sender = site.sender(door, pair)
        context = sender.context()
        context.maximum_version = ssl.TLSVersion[version]
        for rotate in (renew_server, trust_another, revoke_another):
            answer, session, _ = resume(sender, context, None)
            assert answer.startswith(b"HTTP/1.1 200")
            with closing(keep(sender, context, session)) as kept:
                assert sender.push(connection=kept).status == 200
                assert kept.sock.session_reused
                rotate()
                wait_for_all(door)
                answered = sender.push(connection=kept)
                assert (answered.status, answered.headers["Connection"]) == (200, "close"), rotate


def test_connection_of_a_plain_authority_outlives_a_rotation(
    site: Site, certificates: CertificateFiles, tmp_path: Path
) -> None:
    """What OpenSSL has let in stays in: an authority without a key usage, as within a house, is not judged anew."""
    house = sign(None, "CN=House", [(x509.BasicConstraints(ca=True, path_length=None), True)])
    site.trust(house)
    pair = write_chain(site.folder / "senders", "client", issue_client(house))
    with run_door(site.equipment.environment, site.folder / "log") as door:
        sender = site.sender(door, pair)
        with closing(sender.connect()) as kept:
            assert sender.push(connection=kept).status == 200
            for file in (certificates.server.certificate, certificates.server.key):
                (tmp_path / file.name).write_bytes(file.read_bytes())
            wait_for_all(door)
            answered = sender.push(connection=kept)
            assert (answered.status, answered.headers["Connection"]) == (200, "close")


def test_sessions_are_resumed_with_several_processes(site: Site, hierarchy: Hierarchy) -> None:
    """Whichever process a connection comes to, a session of one of them costs nobody a push."""
    site.trust(hierarchy.root, lists=make_crl(hierarchy.between))
    pair = write_chain(site.folder / "senders", "client", hierarchy.client, hierarchy.between)
    with run_door(site.equipment.environment, site.folder / "log", workers=2) as door:
        sender = site.sender(door, pair)
        context = sender.context()
        resumed: list[bool] = []
        sessions: list[ssl.SSLSession | None] = [None]
        for _ in range(40):
            # Either of the last two: the processes may take turns, and then the last one is always the other's.
            answer, session, reused = resume(sender, context, random.choice(sessions[-2:]))
            assert answer.startswith(b"HTTP/1.1 200")
            resumed.append(reused)
            sessions.append(session)
    assert any(resumed)


@pytest.mark.parametrize("place", ["client", "authority"])
def test_purposes(site: Site, hierarchy: Hierarchy, place: str) -> None:
    """Without an extended key usage any purpose will do; anyExtendedKeyUsage alone will not, as OpenSSL has it."""
    site.trust(hierarchy.root)
    with run_door(site.equipment.environment, site.folder / "log") as door:
        for name, (usages, admitted) in PURPOSES.items():
            between = hierarchy.between
            if place == "authority":
                between = make_authority_under(hierarchy.root, f"CN=For {name}", 0, usages)
            client = issue_client(between, usages=usages if place == "client" else (CLIENT,))
            pair = write_chain(site.folder / "senders", name.replace(" ", "-"), client, between)
            assert status(site.sender(door, pair)) == (200 if admitted else 0), name
