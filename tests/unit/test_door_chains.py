"""Chains with an authority between root and leaf, as proxies hand them over, in the ways that they can."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from deploy.embedded.certificates import Issued
from deploy.embedded.revocations import make_crl
from ingress.identity.certificate import Certificate, Distrusted, read_certificate
from ingress.trust.proxy import ProxiedCertificates
from schemas.settings.configuration import Tls
from schemas.settings.door import Proxy
from tests.authorities import Hierarchy, issue_client, make_authority_under, make_hierarchy
from tests.unit.test_door_handed import CERT, CHAIN, LEAF, aws, field

ANY, CLIENT = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, ExtendedKeyUsageOID.CLIENT_AUTH
# These proxies hand on the leaf alone.
ALONE: dict[str, Callable[[Issued], dict[str, str]]] = {
    "nginx": lambda client: {"HTTP_X_CLIENT_CERT": quote(client.certificate_pem(), safe="")},
    "alb": lambda client: {LEAF: aws(client.certificate_pem())},
    "rfc9440": lambda client: {CERT: field(client.certificate)},
}
REVOKED = "an authority of this client certificate is revoked"
Proxied = Callable[..., ProxiedCertificates]


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    """Make a root, an authority between, and a client."""
    return make_hierarchy()


@pytest.fixture
def proxied(tmp_path: Path) -> Proxied:
    """Return what makes a door behind a proxy of some kind, with these authorities and lists."""

    def make(kind: str, *authorities: Issued, lists: bytes = b"") -> ProxiedCertificates:
        bundle, crl = tmp_path / "bundle.pem", tmp_path / "lists.pem"
        bundle.write_bytes(b"".join(one.certificate_pem() for one in authorities))
        crl.write_bytes(lists)
        tls = Tls(certificate="", key="", client_ca=str(bundle), crl=str(crl) if lists else None)
        return ProxiedCertificates(Proxy(header=kind), tls)  # type: ignore[arg-type]  # it is one of them

    return make


def with_chain(client: Issued, *between: Issued) -> dict[str, str]:
    """Return the headers of RFC 9440."""
    return {CERT: field(client.certificate), CHAIN: ", ".join(field(one.certificate) for one in between)}


def read_issued(issued: Issued) -> Certificate:
    """Read an issued certificate the door's way."""
    return read_certificate(issued.certificate.public_bytes(Encoding.DER))


def test_chain_is_handed_on_and_only_the_root_is_known(proxied: Proxied, hierarchy: Hierarchy) -> None:
    """`Client-Cert-Chain` brings the authority between along, whatever else it holds; without it nobody knows whose."""
    door = proxied("rfc9440", hierarchy.root)
    expected = read_issued(hierarchy.client)
    assert door.identify(with_chain(hierarchy.client, hierarchy.between)) == expected
    assert door.identify(with_chain(hierarchy.client, hierarchy.root, hierarchy.between)) == expected
    with pytest.raises(Distrusted, match="not trusted"):
        door.identify(ALONE["rfc9440"](hierarchy.client))


@pytest.mark.parametrize("kind", sorted(ALONE))
def test_leaf_is_handed_on_alone(proxied: Proxied, hierarchy: Hierarchy, kind: str) -> None:
    """Where the proxy hands on the leaf alone, the authority between belongs into the bundle, its root or not."""
    environment = ALONE[kind](hierarchy.client)
    assert proxied(kind, hierarchy.root, hierarchy.between).identify(environment) == read_issued(hierarchy.client)
    assert proxied(kind, hierarchy.between).identify(environment) == read_issued(hierarchy.client)
    with pytest.raises(Distrusted, match="not trusted"):
        proxied(kind, hierarchy.root).identify(environment)


@pytest.mark.parametrize("kind", sorted(ALONE))
def test_list_of_the_authority_between(proxied: Proxied, hierarchy: Hierarchy, kind: str) -> None:
    """The list of the authority between suffices: nobody is refused because the root has none."""
    revoked = issue_client(hierarchy.between)
    lists = make_crl(hierarchy.between, [revoked.certificate])
    door = proxied(kind, hierarchy.root, hierarchy.between, lists=lists)
    assert door.identify(ALONE[kind](hierarchy.client)) == read_issued(hierarchy.client)
    with pytest.raises(Distrusted, match="the client certificate is revoked"):
        door.identify(ALONE[kind](revoked))


def test_list_of_an_authority_that_is_handed_on(proxied: Proxied, hierarchy: Hierarchy) -> None:
    """The list of an authority that only the sender knows counts, once that authority is trusted by its root."""
    revoked = issue_client(hierarchy.between)
    door = proxied("rfc9440", hierarchy.root, lists=make_crl(hierarchy.between, [revoked.certificate]))
    assert door.identify(with_chain(hierarchy.client, hierarchy.between)) == read_issued(hierarchy.client)
    with pytest.raises(Distrusted, match="the client certificate is revoked"):
        door.identify(with_chain(revoked, hierarchy.between))


@pytest.mark.parametrize("days", [30, 0])
@pytest.mark.parametrize("kind", sorted(ALONE))
def test_revoked_authority_in_the_bundle(proxied: Proxied, hierarchy: Hierarchy, kind: str, days: int) -> None:
    """An authority in the bundle that its root has revoked lets nobody in, be the root's list overdue or not."""
    other = make_authority_under(hierarchy.root, "CN=Client CA G3,O=Authorities", 0)
    lists = make_crl(hierarchy.root, [hierarchy.between.certificate], days) + make_crl(hierarchy.between)
    door = proxied(kind, hierarchy.root, hierarchy.between, other, lists=lists + make_crl(other))
    beside = issue_client(other)
    assert door.identify(ALONE[kind](beside)) == read_issued(beside)
    with pytest.raises(Distrusted, match="not trusted"):
        door.identify(ALONE[kind](hierarchy.client))


def test_revoked_authority_that_is_handed_on(proxied: Proxied, hierarchy: Hierarchy) -> None:
    """An authority that the sender brings along and its root has revoked is none; a forged list says nothing."""
    lists = make_crl(hierarchy.root, [hierarchy.between.certificate]) + make_crl(hierarchy.between)
    with pytest.raises(Distrusted, match=REVOKED):
        proxied("rfc9440", hierarchy.root, lists=lists).identify(with_chain(hierarchy.client, hierarchy.between))
    impostor = make_authority_under(None, "CN=Root G2,O=Authorities")
    lists = make_crl(impostor, [hierarchy.between.certificate]) + make_crl(hierarchy.between)
    door = proxied("rfc9440", hierarchy.root, lists=lists)
    assert door.identify(with_chain(hierarchy.client, hierarchy.between)) == read_issued(hierarchy.client)


def test_another_way_around_a_revoked_authority(proxied: Proxied, hierarchy: Hierarchy) -> None:
    """An authority certified by two roots, of which one has revoked it, is trusted by the other."""
    second = make_authority_under(None, "CN=Second Root")
    again = make_authority_under(second, "CN=Client CA G2,O=Authorities", 0, key=hierarchy.between.key)
    lists = make_crl(hierarchy.root, [hierarchy.between.certificate]) + make_crl(hierarchy.between)
    environment = with_chain(hierarchy.client, hierarchy.between, again)
    with pytest.raises(Distrusted, match=REVOKED):
        proxied("rfc9440", hierarchy.root, lists=lists).identify(environment)
    door = proxied("rfc9440", hierarchy.root, second, lists=lists)
    assert door.identify(environment) == read_issued(hierarchy.client)


@pytest.mark.parametrize("place", ["client", "authority"])
@pytest.mark.parametrize(
    ("usages", "admitted"), [((), True), ((ANY, CLIENT), True), ((ANY,), False)], ids=["none", "both", "any"]
)
def test_purposes(
    proxied: Proxied, hierarchy: Hierarchy, place: str, usages: tuple[x509.ObjectIdentifier, ...], admitted: bool
) -> None:
    """Without an extended key usage any purpose will do; anyExtendedKeyUsage alone will not, as OpenSSL has it."""
    between = hierarchy.between
    if place == "authority":
        between = make_authority_under(hierarchy.root, "CN=For some", 0, usages)
    client = issue_client(between, usages=usages if place == "client" else (CLIENT,))
    door = proxied("rfc9440", hierarchy.root)
    if admitted:
        assert door.identify(with_chain(client, between)) == read_issued(client)
    else:
        with pytest.raises(Distrusted, match="not trusted"):
            door.identify(with_chain(client, between))
