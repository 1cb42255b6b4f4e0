"""Names that are no text: `cryptography` finds out when it is asked for them, long after it has read the rest."""

import base64
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from deploy.embedded.revocations import make_crl
from ingress.identity.certificate import Distrusted
from ingress.trust.files import load_trust
from ingress.trust.handed import Handed
from ingress.trust.proxy import ProxiedCertificates
from ingress.trust.verify import require_not_revoked
from schemas.settings.configuration import Tls
from schemas.settings.door import Proxy
from schemas.settings.secret import ConfigurationError
from tests.authorities import Hierarchy, make_hierarchy, spoil_list, spoil_name
from tests.unit.test_door_handed import CERT, CHAIN, field


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    """Make a root, an authority between, and a client."""
    return make_hierarchy()


@pytest.fixture
def tls(tmp_path: Path, hierarchy: Hierarchy) -> Tls:
    """Return files of trust that can be used."""
    bundle, crl = tmp_path / "bundle.pem", tmp_path / "lists.pem"
    bundle.write_bytes(hierarchy.root.certificate_pem())
    crl.write_bytes(make_crl(hierarchy.root) + make_crl(hierarchy.between))
    return Tls(certificate="", key="", client_ca=str(bundle), crl=str(crl))


def illegible(certificate: x509.Certificate, name: str) -> x509.Certificate:
    """Return a certificate in which that name, of its subject or its issuer, is no text any more."""
    return x509.load_der_x509_certificate(spoil_name(certificate.public_bytes(Encoding.DER), name))


def test_authority_whose_name_cannot_be_read(tls: Tls, hierarchy: Hierarchy) -> None:
    """Where lists are looked up by names, a bundle with such a name is refused as a whole, and named."""
    for name in ("Root G2", "Client CA G2"):
        spoilt = illegible(hierarchy.between.certificate, name).public_bytes(Encoding.PEM)
        Path(tls.client_ca).write_bytes(hierarchy.root.certificate_pem() + spoilt)
        with pytest.raises(ConfigurationError, match=tls.client_ca):
            load_trust(tls.client_ca, tls.crl)


def test_list_whose_name_cannot_be_read(tls: Tls, hierarchy: Hierarchy) -> None:
    """So is a file of lists with such a name in one of them."""
    spoilt = spoil_list(make_crl(hierarchy.between), "Client CA G2")
    Path(str(tls.crl)).write_bytes(make_crl(hierarchy.root) + spoilt)
    with pytest.raises(ConfigurationError, match=str(tls.crl)):
        load_trust(tls.client_ca, tls.crl)


def test_list_of_a_version_that_there_is_not(tls: Tls, hierarchy: Hierarchy) -> None:
    """A list, or an authority, of a version that no standard knows is refused like anything malformed."""
    (revocations,) = (x509.load_pem_x509_crl(make_crl(hierarchy.root)),)
    changed = revocations.public_bytes(Encoding.DER).replace(b"\x02\x01\x01", b"\x02\x01\x00", 1)
    Path(str(tls.crl)).write_bytes(write_pem("X509 CRL", changed))
    with pytest.raises(ConfigurationError, match=str(tls.crl)):
        load_trust(tls.client_ca, tls.crl)
    authority = hierarchy.root.certificate.public_bytes(Encoding.DER)
    Path(tls.client_ca).write_bytes(write_pem("CERTIFICATE", authority.replace(b"\x02\x01\x02", b"\x02\x01\x05", 1)))
    with pytest.raises(ConfigurationError, match=tls.client_ca):
        load_trust(tls.client_ca, None)


def write_pem(kind: str, der: bytes) -> bytes:
    """Return a PEM block."""
    return f"-----BEGIN {kind}-----\n".encode() + base64.encodebytes(der) + f"-----END {kind}-----\n".encode()


def test_chain_that_holds_a_name_which_cannot_be_read(tls: Tls, hierarchy: Hierarchy) -> None:
    """Whoever hands such a chain over is not trusted, and no fault of the door."""
    proxied = ProxiedCertificates(Proxy(header="rfc9440"), tls)
    for name in ("Root G2", "Client CA G2"):
        spoilt = illegible(hierarchy.between.certificate, name)
        with pytest.raises(Distrusted):
            proxied.identify({CERT: field(hierarchy.client.certificate), CHAIN: field(spoilt)})
        with pytest.raises(Distrusted):
            require_not_revoked(Handed(hierarchy.client.certificate, (spoilt,)), load_trust(tls.client_ca, tls.crl))
