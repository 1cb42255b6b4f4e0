"""A certificate authority for development: what a card network's would be in production, made on this machine.

Every certificate carries what strict verifiers ask for (RFC 5280: key identifiers, basic constraints, key usage; and an
extended key usage for exactly one side), so that a client that accepts these will accept a public authority's too.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

Side = Literal["server", "client"]
USAGE = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}

AUTHORITY_DAYS = 3650
LEAF_DAYS = 397
CLOCK_SLACK = timedelta(hours=1)

AUTHORITY_SUBJECT = "CN=alert-intake development CA,O=alert-intake development"


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def certificate_pem(self) -> bytes:
        """Return the certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_identifier(self) -> x509.AuthorityKeyIdentifier:
        """Return what certificates and lists of this authority name it by."""
        own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)

    def key_pem(self) -> bytes:
        """Return the key as PEM (PKCS 8, not encrypted)."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def make_authority(subject: str = AUTHORITY_SUBJECT, days: int = AUTHORITY_DAYS) -> Issued:
    """Make an authority that signs itself and may sign leaves only. `subject` is an RFC 4514 name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string(subject)
    builder = start_certificate(name, name, key, datetime.now(UTC) - CLOCK_SLACK, days)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(key_usage(signs_certificates=True), critical=True)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
    )
    return Issued(builder.sign(key, hashes.SHA256()), key)


def issue_certificate(
    authority: Issued,
    subject: str,
    *,
    side: Side,
    hosts: Iterable[str] | None = None,
    not_before: datetime | None = None,
    days: int = LEAF_DAYS,
) -> Issued:
    """Issue a certificate for one side only, valid from `not_before` (an hour ago) for `days`.

    `subject` is an RFC 4514 name. `hosts` are the names of the subject alternative name, of whatever kind, by default
    the common name. To issue one that has expired, let it begin further back than it is valid.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string(subject)
    begin = not_before or datetime.now(UTC) - CLOCK_SLACK
    builder = start_certificate(name, authority.certificate.subject, key, begin, days)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(key_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([USAGE[side]]), critical=False)
    builder = builder.add_extension(authority.key_identifier(), critical=False)
    names = list(hosts) if hosts is not None else common_names(name)
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([general_name(host) for host in names]), critical=False
        )
    return Issued(builder.sign(authority.key, hashes.SHA256()), key)


def start_certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, begin: datetime, days: int
) -> x509.CertificateBuilder:
    """Begin a certificate with what all of them have."""
    builder = x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=begin,
        not_valid_after=begin + timedelta(days=days),
    )
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Return the key usage of an authority or of a leaf."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def common_names(name: x509.Name) -> list[str]:
    """Return the common names that could be a host's."""
    found = (str(attribute.value) for attribute in name.get_attributes_for_oid(x509.NameOID.COMMON_NAME))
    return [common for common in found if common and " " not in common]


def general_name(host: str) -> x509.GeneralName:
    """Turn a host into the name of its kind; a URI and an e-mail address likewise."""
    if "://" in host or host.startswith("urn:"):
        return x509.UniformResourceIdentifier(host)
    if "@" in host:
        return x509.RFC822Name(host)
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
