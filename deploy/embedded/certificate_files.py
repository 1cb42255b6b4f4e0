"""The development certificates as files: made at the first start, renewed in time, read by the door and by senders."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from deploy.embedded.certificates import Issued, Side, issue_certificate, make_authority
from deploy.embedded.files import write_file
from deploy.embedded.revocations import make_crl

RENEW_BEFORE = timedelta(days=30)
SERVER_SUBJECT = "CN=localhost,O=alert-intake development"
CLIENT_SUBJECT = "CN=sender.alert-intake.example,O=alert-intake development"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Pair:
    """Where a certificate and its key lie."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class DevelopmentCertificates:
    """Where they lie: the authority (its certificate is what both sides trust), its CRL, the server's, a sender's."""

    authority: Pair
    crl: Path
    server: Pair
    client: Pair


def ensure_certificates(folder: Path) -> DevelopmentCertificates:
    """Return the certificates in `folder`, making what is missing, no longer fits, or ends within 30 days."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = read_pair(folder, "ca")
    if authority is None or ends_soon(authority.certificate):
        authority = make_authority()
        write_pair(folder, "ca", authority)
    server = ensure_leaf(folder, "server", authority, SERVER_SUBJECT, "server", LOOPBACK)
    client = ensure_leaf(folder, "client", authority, CLIENT_SUBJECT, "client", None)
    crl = folder / "crl.pem"
    write_file(crl, make_crl(authority).decode(), 0o644)
    return DevelopmentCertificates(pair_of(folder, "ca"), crl, server, client)


def ensure_leaf(
    folder: Path, name: str, authority: Issued, subject: str, side: Side, hosts: tuple[str, ...] | None
) -> Pair:
    """Keep the leaf of that name while it fits the authority and lasts, else issue it anew."""
    leaf = read_pair(folder, name)
    if leaf is None or ends_soon(leaf.certificate) or not signed_by(leaf.certificate, authority.certificate):
        write_pair(folder, name, issue_certificate(authority, subject, side=side, hosts=hosts))
    return pair_of(folder, name)


def read_pair(folder: Path, name: str) -> Issued | None:
    """Read a certificate and its key; None when one is missing or they do not belong together."""
    pair = pair_of(folder, name)
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        key = load_pem_private_key(pair.key.read_bytes(), password=None)
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        return None
    return Issued(certificate, key)


def write_pair(folder: Path, name: str, issued: Issued) -> Pair:
    """Write a certificate and its key, the key readable by its owner only."""
    pair = pair_of(folder, name)
    write_file(pair.key, issued.key_pem().decode(), 0o600)
    write_file(pair.certificate, issued.certificate_pem().decode(), 0o644)
    return pair


def pair_of(folder: Path, name: str) -> Pair:
    """Name the files of a certificate and its key."""
    return Pair(folder / f"{name}.pem", folder / f"{name}.key")


def ends_soon(certificate: x509.Certificate) -> bool:
    """Tell whether the certificate should be renewed now."""
    return certificate.not_valid_after_utc - datetime.now(UTC) < RENEW_BEFORE


def signed_by(leaf: x509.Certificate, authority: x509.Certificate) -> bool:
    """Tell whether the authority's key signed the leaf."""
    try:
        leaf.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
