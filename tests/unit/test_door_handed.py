"""The headers in which proxies hand certificates over: read strictly, from the proxy alone, verified here."""

import base64
import socket
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from deploy.embedded.certificates import Issued, issue_certificate, make_authority
from ingress.identity.certificate import Distrusted, read_certificate
from ingress.trust.handed import WAYS
from ingress.trust.proxy import ProxiedCertificates, read_address
from schemas.settings.configuration import Tls
from schemas.settings.door import Proxy

SUBJECT = "CN=sender.example,O=Sender"
LEAF, PASSED = "HTTP_X_AMZN_MTLS_CLIENTCERT_LEAF", "HTTP_X_AMZN_MTLS_CLIENTCERT"
CERT, CHAIN = "HTTP_CLIENT_CERT", "HTTP_CLIENT_CERT_CHAIN"


@pytest.fixture(scope="module")
def authority() -> Issued:
    """Make an authority."""
    return make_authority()


@pytest.fixture
def tls(tmp_path: Path, authority: Issued) -> Tls:
    """Write the file of trust."""
    (tmp_path / "ca.pem").write_bytes(authority.certificate_pem())
    return Tls(certificate="", key="", client_ca=str(tmp_path / "ca.pem"))


@pytest.fixture(scope="module")
def issued(authority: Issued) -> Issued:
    """Issue a good certificate."""
    return issue_certificate(authority, SUBJECT, side="client")


def field(certificate: x509.Certificate) -> str:
    """Return a certificate as a byte sequence of structured fields."""
    return f":{base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()}:"


def aws(certificate: bytes) -> str:
    """Return a PEM certificate as AWS escapes it: all but a few characters."""
    return quote(certificate, safe="+=/")


def test_rfc9440(tls: Tls, issued: Issued, authority: Issued) -> None:
    """`Client-Cert` is one byte sequence; the chain may stand beside it, and is not needed when the file has it."""
    proxied = ProxiedCertificates(Proxy(header="rfc9440"), tls)
    expected = read_certificate(issued.certificate.public_bytes(Encoding.DER))
    own = field(issued.certificate)
    assert proxied.identify({CERT: own}) == expected
    assert proxied.identify({CERT: f" {own} ", CHAIN: field(authority.certificate)}) == expected
    assert proxied.identify({}) is None
    assert proxied.identify({CHAIN: own}) is None
    twice = f"{own}, {own}"  # as WSGI joins a header that came twice
    bad = [
        twice,
        f"{own},",
        own[1:],
        own[:-1],
        f"{own};a=1",
        f"({own})",
        ":AAAA:",
        "::",
        ":%%%:",
        own.replace("M", "-"),
    ]
    for text in (*bad, aws(issued.certificate_pem())):
        with pytest.raises(Distrusted):
            pytest.fail(f"{text}: {proxied.identify({CERT: text})}")
    for chain in (f"{own},,{own}", ", ".join([own] * 9), "x"):
        with pytest.raises(Distrusted):
            pytest.fail(f"{chain}: {proxied.identify({CERT: own, CHAIN: chain})}")


def test_chain_is_no_authority(tls: Tls) -> None:
    """A chain that the sender brings along helps to find an authority of ours, and is none itself."""
    stranger = make_authority("CN=stranger")
    foreign = issue_certificate(stranger, SUBJECT, side="client")
    proxied = ProxiedCertificates(Proxy(header="rfc9440"), tls)
    with pytest.raises(Distrusted, match="not trusted"):
        proxied.identify({CERT: field(foreign.certificate), CHAIN: field(stranger.certificate)})


def test_aws_verify_mode(tls: Tls, issued: Issued) -> None:
    """The header of verify mode counts; that of passthrough mode, which nobody verified, never does."""
    proxied = ProxiedCertificates(Proxy(header="alb"), tls)
    pem = issued.certificate_pem()
    certificate = proxied.identify({LEAF: aws(pem)})
    assert certificate == read_certificate(issued.certificate.public_bytes(Encoding.DER))
    assert proxied.identify({PASSED: aws(pem)}) is None
    for text in (
        f"{aws(pem)},{aws(pem)}",
        aws(pem + pem),
        aws(b"x" + pem),
        aws(pem[:-30]),
        "%",
        field(issued.certificate),
    ):
        with pytest.raises(Distrusted):
            pytest.fail(f"{text}: {proxied.identify({LEAF: text})}")


@pytest.mark.parametrize("kind", sorted(WAYS))
def test_headers_of_other_proxies_mean_nothing(tls: Tls, issued: Issued, kind: str) -> None:
    """Only the configured proxy's own header is looked at."""
    escaped = aws(issued.certificate_pem())
    others = {way.certificate: escaped for name, way in WAYS.items() if name != kind} | {PASSED: escaped}
    for name in (
        "X_SSL_CERT",
        "SSL_CLIENT_CERT",
        "X_FORWARDED_CLIENT_CERT",
        "X_CLIENT_CERTIFICATE",
        "X_ARR_CLIENTCERT",
    ):
        others[f"HTTP_{name}"] = escaped
    others[CERT if kind != "rfc9440" else LEAF] = field(issued.certificate)
    proxied = ProxiedCertificates(Proxy(header=kind), tls)  # type: ignore[arg-type]  # it is one of them
    assert proxied.identify(dict(others)) is None


def test_who_is_the_proxy(tls: Tls) -> None:
    """A proxy is known by the unix socket or by its configured addresses, and only it is asked for the client's."""
    left, right = socket.socketpair(socket.AF_UNIX)
    own_socket = {"gunicorn.socket": left, "HTTP_X_FORWARDED_FOR": "203.0.113.9"}
    here = ProxiedCertificates(Proxy(header="alb"), tls)
    there = ProxiedCertificates(Proxy(header="alb", networks=("10.1.0.0/16", "2001:db8::/64")), tls)
    assert here.speaks(own_socket)
    assert there.speaks(own_socket)
    assert not here.speaks({"REMOTE_ADDR": "10.1.2.3"})
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "2001:db8::5"):
        assert there.speaks({"REMOTE_ADDR": address}), address
    for address in ("10.2.0.1", "", "unix", "2001:db8:1::5"):
        assert not there.speaks({"REMOTE_ADDR": address}), address
    told = {"HTTP_X_FORWARDED_FOR": "6.6.6.6, 203.0.113.9:4711"}
    assert there.address(told | {"REMOTE_ADDR": "10.1.2.3"}) == "203.0.113.9"
    assert there.address(told | {"REMOTE_ADDR": "192.0.2.1"}) == "192.0.2.1"
    assert there.address({"REMOTE_ADDR": "10.1.2.3", "HTTP_X_FORWARDED_FOR": "4929123456781236"}) == "10.1.2.3"
    left.close()
    right.close()


def test_addresses_with_and_without_ports() -> None:
    """Addresses come with ports and in brackets; what is none is none."""
    told = {"192.0.2.1": "192.0.2.1", " 192.0.2.1:80": "192.0.2.1", "[2001:db8::1]:80": "2001:db8::1", "::1": "::1"}
    assert {text: str(read_address(text)) for text in told} == told
    assert {read_address(text) for text in ("", "unix:", "name", "1.2.3", "[x]:1")} == {None}


def test_network_of_everybody_is_refused() -> None:
    """A proxy that could be anybody would let everybody forge certificates."""
    for network in ("0.0.0.0/0", "::/0"):
        with pytest.raises(ValueError, match="everybody"):
            Proxy(networks=(network,))
