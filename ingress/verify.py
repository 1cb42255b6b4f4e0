"""Verify a client certificate against the files of trust: chain, validity, purpose, revocation.

OpenSSL does it for connections that end at the door. Here it is done for certificates that a proxy hands over, and once
more for open connections when the files of trust have changed.
"""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store, VerificationError

from ingress.handed import Handed
from ingress.identity import MALFORMED, Certificate, Distrusted, read_certificate
from ingress.trust import Trust


def verify_certificate(handed: Handed, trust: Trust) -> Certificate:
    """Return the certificate if it is trusted here. Raises Distrusted."""
    leaf = handed.leaf
    try:
        builder = PolicyBuilder().store(Store(list(trust.authorities))).time(datetime.now(UTC))
        builder = builder.extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=client_policy())
        builder.build_client_verifier().verify(leaf, list(handed.intermediates))
        certificate = read_certificate(leaf.public_bytes(Encoding.DER))
    except (VerificationError, *MALFORMED) as error:
        raise Distrusted("the client certificate is not trusted here") from error
    require_not_revoked(handed, trust)
    return certificate


def client_policy() -> ExtensionPolicy:
    """What a client's own certificate must look like: unlike a server's, it needs no alternative names."""
    policy = ExtensionPolicy.permit_all()
    policy = policy.may_be_present(x509.BasicConstraints, Criticality.AGNOSTIC, require_no_authority)
    return policy.may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, require_client_purpose)


def require_no_authority(_policy: Policy, _leaf: x509.Certificate, constraints: x509.BasicConstraints | None) -> None:
    """Refuse the certificate of an authority."""
    if constraints is not None and constraints.ca:
        raise ValueError("an authority is no client")


def require_client_purpose(_policy: Policy, _leaf: x509.Certificate, usage: x509.ExtendedKeyUsage | None) -> None:
    """Refuse a certificate that is restricted to other purposes, such as one for servers only (RFC 5280, 4.2.1.12)."""
    if usage is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        raise ValueError("not a certificate for clients")


def require_not_revoked(handed: Handed, trust: Trust) -> None:
    """Raise Distrusted for what its issuer has revoked.

    Where lists are configured, an issuer without a current one is not believed at all; OpenSSL does the same.
    """
    if trust.revocations is None:
        return
    leaf = handed.leaf
    known = (*trust.authorities, *handed.intermediates)
    issuers = [authority for authority in known if authority.subject == leaf.issuer]
    lists = [found for found in trust.revocations if any(is_current_list(found, issuer) for issuer in issuers)]
    if not lists:
        raise Distrusted("there is no current revocation list of this client certificate's issuer")
    if any(found.get_revoked_certificate_by_serial_number(leaf.serial_number) is not None for found in lists):
        raise Distrusted("the client certificate is revoked")


def is_current_list(revocations: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Say whether a revocation list is this issuer's own and not overdue."""
    due = revocations.next_update_utc
    if revocations.issuer != issuer.subject or (due is not None and due < datetime.now(UTC)):
        return False
    try:
        return revocations.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # raises TypeError, below
    except TypeError:
        return False
