"""Pins, and the certificate that a proxy hands over."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from deploy.embedded.certificates import Issued, issue_certificate, make_authority
from deploy.embedded.revocations import make_crl
from ingress.identity.certificate import Certificate, Distrusted, Pins, read_certificate, read_pins
from ingress.trust.proxy import ProxiedCertificates
from schemas.settings.certificates import read_revocations
from schemas.settings.configuration import Tls
from schemas.settings.door import Proxy
from schemas.settings.secret import ConfigurationError
from schemas.settings.sources import Source
from tests.authorities import issue_client

HEADER = "HTTP_X_CLIENT_CERT"
SUBJECT = "CN=sender.example,O=Sender"


@pytest.fixture(scope="module")
def authority() -> Issued:
    """Make an authority."""
    return make_authority()


@pytest.fixture
def tls(tmp_path: Path, authority: Issued) -> Tls:
    """Write the files of trust."""
    (tmp_path / "ca.pem").write_bytes(authority.certificate_pem())
    (tmp_path / "crl.pem").write_bytes(make_crl(authority))
    return Tls(certificate="", key="", client_ca=str(tmp_path / "ca.pem"), crl=str(tmp_path / "crl.pem"))


def read_issued(issued: Issued) -> Certificate:
    """Read an issued certificate the door's way."""
    return read_certificate(issued.certificate.public_bytes(Encoding.DER))


def handed_over(issued: Issued) -> dict[str, str]:
    """Return the header as nginx writes it."""
    return {HEADER: quote(issued.certificate_pem(), safe="")}


def pins(**settings: tuple[str, ...]) -> Pins:
    """Return the pins of a source with these settings."""
    return read_pins(Source(name="x", format="ethoca", **settings))  # type: ignore[arg-type]  # only tuples are given


def test_pins_by_name_dns_name_and_fingerprint(authority: Issued) -> None:
    """Any one pin that fits lets a certificate speak for the source."""
    issued = issue_certificate(authority, SUBJECT, side="client", hosts=["sender.example", "other.example"])
    certificate = read_issued(issued)
    fingerprint = issued.certificate.fingerprint(SHA256())
    assert pins(subjects=("O=Sender, CN=Sender.example",)).admit(certificate)
    assert pins(subjects=("CN=sender.example",)).admit(certificate)
    assert pins(subjects=("Other.Example",)).admit(certificate)
    assert pins(subjects=("CN=nobody",), fingerprints=(fingerprint.hex(":").upper(),)).admit(certificate)
    assert not pins(subjects=("CN=other.example", "example", "CN=nobody")).admit(certificate)
    assert not pins(fingerprints=("00" * 32,)).admit(certificate)


NAMES = ("Push.Example.com", "spiffe://Example.com/Push", "urn:uuid:F0", "Push@Example.com", "192.0.2.1", "2001:db8::1")


@pytest.mark.parametrize(
    ("pin", "fits"),
    [
        ("push.example.COM", True),
        ("push.example.com.evil.example", False),
        ("SPIFFE://example.COM/Push", True),
        ("spiffe://example.com/push", False),
        ("https://example.com/Push", False),
        ("spiffe://example.com", False),
        ("spiffe://example.com/Push?a=b", False),
        ("URN:uuid:F0", True),
        ("urn:uuid:f0", False),
        ("Push@example.COM", True),
        ("push@example.com", False),
        ("192.0.2.1", True),
        ("192.0.2.10", False),
        ("2001:0DB8:0:0::1", True),
        ("2001:db8::2", False),
    ],
)
def test_alternative_names_of_each_kind(authority: Issued, pin: str, fits: bool) -> None:
    """A URI, an e-mail address and an IP address are pinned like a DNS name, each compared as its kind is."""
    issued = issue_certificate(authority, SUBJECT, side="client", hosts=NAMES)
    assert pins(subjects=(pin,)).admit(read_issued(issued)) is fits


def test_a_name_of_another_kind_does_not_fit(authority: Issued) -> None:
    """What reads alike and is of another kind is another name: a DNS name spelled like an address is none."""
    names = [x509.DNSName("192.0.2.1"), x509.DNSName("spiffe://a/b"), x509.DNSName("a@b.c")]
    issued = issue_client(authority, SUBJECT, names=names)
    assert not pins(subjects=("192.0.2.1", "spiffe://a/b", "a@b.c")).admit(read_issued(issued))


@pytest.mark.parametrize(
    "settings",
    [
        {"subjects": ("push.example.com:8443",)},
        {"subjects": ("@example.com",)},
        {"subjects": ("not a name",)},
        {"subjects": ("XY=a",)},
        {"fingerprints": ("abc",)},
        {"fingerprints": ("zz" * 32,)},
    ],
)
def test_pin_that_cannot_be_read_stops_the_start(settings: dict[str, tuple[str, ...]]) -> None:
    """A pin with a mistake in it is named, not ignored."""
    with pytest.raises(ConfigurationError, match="source x"):
        pins(**settings)


def test_certificate_from_the_proxy(tls: Tls, authority: Issued) -> None:
    """A good certificate is read; none is none."""
    issued = issue_certificate(authority, SUBJECT, side="client")
    proxied = ProxiedCertificates(Proxy(), tls)
    assert proxied.identify(handed_over(issued)) == read_issued(issued)
    assert proxied.identify({HEADER: ""}) is None
    assert proxied.identify({}) is None


def test_client_certificate_without_alternative_names(tls: Tls, authority: Issued) -> None:
    """A client needs no subject alternative name, which a server would."""
    issued = issue_certificate(authority, "CN=no host name", side="client", hosts=())
    assert ProxiedCertificates(Proxy(), tls).identify(handed_over(issued)) == read_issued(issued)


def test_certificates_that_the_proxy_should_not_have_let_in(tls: Tls, authority: Issued) -> None:
    """Each kind of certificate that nginx should have refused is refused here too."""
    proxied = ProxiedCertificates(Proxy(), tls)
    now = datetime.now(UTC)
    impostor = make_authority()
    wrong = {
        "expired": handed_over(
            issue_certificate(authority, SUBJECT, side="client", not_before=now - timedelta(days=9), days=8)
        ),
        "not yet valid": handed_over(
            issue_certificate(authority, SUBJECT, side="client", not_before=now + timedelta(days=1), days=8)
        ),
        "server only": handed_over(issue_certificate(authority, SUBJECT, side="server")),
        "foreign, under the same name": handed_over(issue_certificate(impostor, SUBJECT, side="client")),
        "the authority": handed_over(authority),
        "self-made": handed_over(impostor),
        "malformed": {HEADER: "-----BEGIN%20CERTIFICATE-----%0AAAAA%0A-----END%20CERTIFICATE-----"},
        "no PEM": {HEADER: "%00%ff"},
    }
    for name, environment in wrong.items():
        with pytest.raises(Distrusted):
            pytest.fail(f"{name}: {proxied.identify(environment)}")


def why_refused(proxied: ProxiedCertificates, environment: dict[str, str], seconds: float) -> str | None:
    """Ask again and again, as pushes do; return why the certificate is refused in the end, None when it never is."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            proxied.identify(environment)
        except Distrusted as reason:
            return str(reason)
    return None


def test_revocation_follows_the_file(tls: Tls, authority: Issued) -> None:
    """A certificate that was good a moment ago is refused once the new list is there; a broken list changes nothing."""
    issued = issue_certificate(authority, SUBJECT, side="client")
    proxied = ProxiedCertificates(Proxy(), tls)
    assert proxied.identify(handed_over(issued)) is not None
    Path(str(tls.crl)).write_bytes(b"half a list")
    assert why_refused(proxied, handed_over(issued), seconds=1.0) is None
    Path(str(tls.crl)).write_bytes(make_crl(authority, [issued.certificate]))
    assert why_refused(proxied, handed_over(issued), seconds=10.0) == "the client certificate is revoked"
    other = issue_certificate(authority, SUBJECT, side="client")
    assert proxied.identify(handed_over(other)) is not None


@pytest.mark.parametrize("kind", ["another issuer's", "overdue", "forged"])
def test_without_a_current_list_of_its_issuer_nobody_is_believed(tls: Tls, authority: Issued, kind: str) -> None:
    """Where revocation lists are configured, a missing, overdue or forged one lets nobody in."""
    impostor = make_authority()
    content = {
        "another issuer's": lambda: make_crl(make_authority("CN=another")),
        "overdue": lambda: make_crl(authority, days=0),
        "forged": lambda: make_crl(impostor),
    }[kind]()
    Path(str(tls.crl)).write_bytes(content)
    with pytest.raises(Distrusted, match="no current revocation list"):
        ProxiedCertificates(Proxy(), tls).identify(handed_over(issue_certificate(authority, SUBJECT, side="client")))


def test_authority_in_the_file_of_revocations(tmp_path: Path, authority: Issued) -> None:
    """A certificate among the revocation lists stops the start: OpenSSL would trust it without a word."""
    file = tmp_path / "crl.pem"
    file.write_bytes(make_crl(authority) + authority.certificate_pem())
    with pytest.raises(ConfigurationError, match="holds a certificate"):
        read_revocations(str(file))
    file.write_bytes(b"nothing")
    with pytest.raises(ConfigurationError, match="no PEM revocation list"):
        read_revocations(str(file))
