"""What revocation lists say of a certificate: whether its issuer has revoked it, and whether he still says anything."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

Lists = Collection[x509.CertificateRevocationList]
Issuers = Collection[x509.Certificate]


def is_revoked(certificate: x509.Certificate, issuers: Issuers, lists: Lists) -> bool:
    """Say whether a list names the certificate and is its issuer's own. It may be overdue: what is revoked stays so."""
    return any(
        is_signed_by_any(found, issuers)
        for found in lists
        if found.issuer == certificate.issuer
        and found.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None
    )


def leave_out_revoked(
    certificates: Iterable[x509.Certificate], issuers: Issuers, lists: Lists
) -> tuple[x509.Certificate, ...]:
    """Return the certificates that no list names. One whose issuer has no list here stays."""
    return tuple(one for one in certificates if not is_revoked(one, issuers, lists))


def current_lists(leaf: x509.Certificate, issuers: Issuers, lists: Lists) -> Lists:
    """Return the lists of a certificate's issuer that are not overdue."""
    now = datetime.now(UTC)
    return [
        found
        for found in lists
        if found.issuer == leaf.issuer
        and (found.next_update_utc is None or found.next_update_utc >= now)
        and is_signed_by_any(found, issuers)
    ]


def is_signed_by_any(found: x509.CertificateRevocationList, issuers: Issuers) -> bool:
    """Say whether a list was signed by one of these authorities under its name."""
    return any(is_signed_by(found, issuer) for issuer in issuers if issuer.subject == found.issuer)


def is_signed_by(found: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Say whether an authority's key signed a list."""
    try:
        return found.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # raises, below
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False
