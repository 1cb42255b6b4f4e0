"""Verify a client certificate against the files of trust: chain, validity, purpose, revocation.

OpenSSL does it for connections that end at the door. Here it is done for certificates that a proxy hands over, and once
more for open connections when the files of trust have changed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store, VerificationError

from ingress.identity.certificate import Certificate, Distrusted, read_certificate
from ingress.trust.files import Trust
from ingress.trust.handed import Handed
from ingress.trust.revocation import current_lists, is_revoked, leave_out_revoked
from schemas.settings.certificates import MALFORMED

AUTHORITY_REVOKED = "an authority of this client certificate is revoked"


def verify_certificate(handed: Handed, trust: Trust) -> Certificate:
    """Return the certificate if it is trusted here. Raises Distrusted.

    An authority that is revoked helps nobody: it is left out before a chain is sought.
    """
    leaf, between = handed.leaf, handed.intermediates
    try:
        if trust.revocations is not None:
            between = leave_out_revoked(between, (*trust.authorities, *between), trust.revocations)
        builder = PolicyBuilder().store(Store(list(trust.authorities))).time(datetime.now(UTC))
        builder = builder.extension_policies(ca_policy=authority_policy(), ee_policy=client_policy())
        builder.build_client_verifier().verify(leaf, list(between))
        certificate = read_certificate(leaf.public_bytes(Encoding.DER))
    except (VerificationError, *MALFORMED) as error:
        revoked = len(between) < len(handed.intermediates)
        raise Distrusted(AUTHORITY_REVOKED if revoked else "the client certificate is not trusted here") from error
    require_not_revoked(Handed(leaf, between), trust)
    return certificate


def authority_policy() -> ExtensionPolicy:
    """What an authority must look like: as on the web, and like a client when it is restricted to purposes."""
    policy = ExtensionPolicy.webpki_defaults_ca()
    return policy.may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, require_client_purpose)


def client_policy() -> ExtensionPolicy:
    """What a client's own certificate must look like: unlike a server's, it needs no alternative names."""
    policy = ExtensionPolicy.permit_all()
    policy = policy.may_be_present(x509.BasicConstraints, Criticality.AGNOSTIC, require_no_authority)
    return policy.may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, require_client_purpose)


def require_no_authority(_policy: Policy, _leaf: x509.Certificate, constraints: x509.BasicConstraints | None) -> None:
    """Refuse the certificate of an authority."""
    if constraints is not None and constraints.ca:
        raise ValueError("an authority is no client")


def require_client_purpose(_policy: Policy, _one: x509.Certificate, usage: x509.ExtendedKeyUsage | None) -> None:
    """Refuse a certificate that is restricted to other purposes, such as one for servers only (RFC 5280, 4.2.1.12).

    Without the extension any purpose will do. anyExtendedKeyUsage alone will not, as it does not for OpenSSL.
    """
    if usage is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        raise ValueError("not a certificate for clients")


def require_not_revoked(handed: Handed, trust: Trust) -> None:
    """Raise Distrusted for what is revoked: the leaf, or one of the authorities between it and its anchor.

    Where lists are configured, a leaf whose issuer has no current one is not believed at all; OpenSSL does the same.
    """
    if trust.revocations is None:
        return
    leaf = handed.leaf
    with legible():
        lists = current_lists(leaf, (*trust.authorities, *handed.intermediates), trust.revocations)
    if not lists:
        raise Distrusted("there is no current revocation list of this client certificate's issuer")
    if any(found.get_revoked_certificate_by_serial_number(leaf.serial_number) is not None for found in lists):
        raise Distrusted("the client certificate is revoked")
    require_none_revoked_between(handed, trust)


def require_none_revoked_between(handed: Handed, trust: Trust) -> None:
    """Raise Distrusted when one of the authorities is revoked. Unlike a leaf it needs no list of its issuer."""
    issuers = (*trust.authorities, *handed.intermediates)
    with legible():
        revoked = any(is_revoked(between, issuers, trust.revocations or ()) for between in handed.intermediates)
    if revoked:
        raise Distrusted(AUTHORITY_REVOKED)


@contextmanager
def legible() -> Iterator[None]:
    """Raise Distrusted for a name, or anything else in a certificate, that cannot be read when it is looked at."""
    try:
        yield
    except MALFORMED as error:
        raise Distrusted("the client certificate or one above it is malformed") from error
