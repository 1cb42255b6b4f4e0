"""Lists of revoked certificates of the authority for development."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from deploy.embedded.certificates import CLOCK_SLACK, LEAF_DAYS, Issued


def make_crl(authority: Issued, revoked: Iterable[x509.Certificate] = (), days: int = LEAF_DAYS) -> bytes:
    """Return the authority's list of revoked certificates as PEM."""
    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=authority.certificate.subject,
        last_update=now - CLOCK_SLACK,
        next_update=now + timedelta(days=days),
    )
    for certificate in revoked:
        entry = x509.RevokedCertificateBuilder(serial_number=certificate.serial_number, revocation_date=now)
        builder = builder.add_revoked_certificate(entry.build())
    builder = builder.add_extension(authority.key_identifier(), critical=False)
    builder = builder.add_extension(x509.CRLNumber(int(now.timestamp())), critical=False)
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
