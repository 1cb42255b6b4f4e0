"""Certificates that the development authority never makes: hierarchies of authorities, and clients of other kinds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from deploy.embedded.certificate_files import CLIENT_SUBJECT, Pair, pair_of
from deploy.embedded.certificates import CLOCK_SLACK, LEAF_DAYS, Issued, key_usage, start_certificate
from deploy.embedded.files import write_file

FOR_CLIENTS = (ExtendedKeyUsageOID.CLIENT_AUTH,)


def sign(
    issuer: Issued | None,
    subject: str,
    extensions: Iterable[tuple[x509.ExtensionType, bool]],
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Issued:
    """Make a certificate with these extensions, each critical or not; without an issuer it signs itself."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string(subject)
    above = issuer.certificate.subject if issuer else name
    signer = issuer.key if issuer else key
    builder = start_certificate(name, above, key, datetime.now(UTC) - CLOCK_SLACK, LEAF_DAYS)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return Issued(builder.sign(signer, hashes.SHA256()), key)


def make_authority_under(
    issuer: Issued | None,
    subject: str,
    path_length: int | None = None,
    usages: Sequence[x509.ObjectIdentifier] = (),
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Issued:
    """Make an authority below another one, or a root. `key` is that of an older certificate of the same authority."""
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=True, path_length=path_length), True),
        (key_usage(signs_certificates=True), True),
    ]
    if usages:
        extensions.append((x509.ExtendedKeyUsage(usages), False))
    return sign(issuer, subject, extensions, key)


def issue_client(
    issuer: Issued,
    subject: str = CLIENT_SUBJECT,
    usages: Sequence[x509.ObjectIdentifier] = FOR_CLIENTS,
    names: Sequence[x509.GeneralName] = (),
) -> Issued:
    """Issue a client's certificate; without `usages` it has no extended key usage at all."""
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (key_usage(signs_certificates=False), True),
    ]
    if usages:
        extensions.append((x509.ExtendedKeyUsage(usages), False))
    if names:
        extensions.append((x509.SubjectAlternativeName(names), False))
    return sign(issuer, subject, extensions)


def write_chain(folder: Path, name: str, issued: Issued, *above: Issued) -> Pair:
    """Write a client's certificate, with those that it sends along, and its key."""
    pair = pair_of(folder, name)
    folder.mkdir(exist_ok=True)
    write_file(pair.key, issued.key_pem().decode(), 0o600)
    write_file(pair.certificate, "".join(one.certificate_pem().decode() for one in (issued, *above)), 0o644)
    return pair


def spoil_name(der: bytes, name: str) -> bytes:
    """Return a certificate or a list in which a name of its is no text any more: UTF-8 has no such byte."""
    assert name.encode() in der
    return der.replace(name.encode(), b"\xff" + name.encode()[1:])


def spoil_list(pem: bytes, name: str) -> bytes:
    """Return a revocation list with such a name, PEM."""
    der = x509.load_pem_x509_crl(pem).public_bytes(Encoding.DER)
    return x509.load_der_x509_crl(spoil_name(der, name)).public_bytes(Encoding.PEM)


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A root, an authority between, and a client of it, as the public authorities have it."""

    root: Issued
    between: Issued
    client: Issued


def make_hierarchy() -> Hierarchy:
    """Make one."""
    root = make_authority_under(None, "CN=Root G2,O=Authorities")
    between = make_authority_under(root, "CN=Client CA G2,O=Authorities", 0)
    return Hierarchy(root, between, issue_client(between))
