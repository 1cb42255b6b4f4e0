"""The client certificate as nginx hands it over, verified here once more.

nginx ends TLS and puts `$ssl_client_escaped_cert` (the certificate as URL-escaped PEM) into one header, over whatever
the client sent there. The door reads the header only on its own unix socket, which only nginx can open, and even then
believes only that this certificate was presented: whether to trust it is decided here, from the same files as without
a proxy.
"""

import hashlib
import time
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store, VerificationError

from ingress.identity import Certificate, Distrusted, Environment, read_certificate, require_valid_now
from ingress.trust import Trust, load_trust, stamp_files
from schemas.configuration import Tls
from schemas.secret import ConfigurationError

HEADER = "HTTP_X_CLIENT_CERT"
ADDRESS_HEADER = "HTTP_X_CLIENT_ADDRESS"
REMEMBER_SECONDS = 60.0
REMEMBER_AT_MOST = 512


class ProxiedCertificates:
    """Reads and verifies certificates from the proxy's header. Follows the files of trust as they change on disk."""

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._stamp = stamp_files(tls.client_ca, tls.crl)
        self._trust = load_trust(tls.client_ca, tls.crl)
        self._verified: dict[bytes, Certificate] = {}
        self._forget_at = 0.0

    def identify(self, environment: Environment) -> Certificate | None:
        """Return the certificate of a request, verified; None when the client presented none. Raises Distrusted."""
        escaped = environment.get(HEADER, "")
        if not escaped:
            return None
        self._follow_files()
        pem = unquote_to_bytes(escaped)
        digest = hashlib.sha256(pem).digest()
        certificate = self._verified.get(digest)
        if certificate is None:
            certificate = self._verified[digest] = verify_certificate(pem, self._trust)
        require_valid_now(certificate)
        return certificate

    def _follow_files(self) -> None:
        stamp = stamp_files(self._tls.client_ca, self._tls.crl)
        if stamp != self._stamp:
            try:
                self._trust = load_trust(self._tls.client_ca, self._tls.crl)
            except ConfigurationError as error:
                raise Distrusted("the door cannot read its own files of trust") from error
            self._stamp, self._forget_at = stamp, 0.0
        if time.monotonic() >= self._forget_at or len(self._verified) >= REMEMBER_AT_MOST:
            self._verified.clear()
            self._forget_at = time.monotonic() + REMEMBER_SECONDS


def verify_certificate(pem: bytes, trust: Trust) -> Certificate:
    """Verify a client certificate: chain, validity, purpose, revocation. Raises Distrusted."""
    try:
        leaf = x509.load_pem_x509_certificate(pem)
        builder = PolicyBuilder().store(Store(list(trust.authorities))).time(datetime.now(UTC))
        builder = builder.extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=client_policy())
        builder.build_client_verifier().verify(leaf, [])
        certificate = read_certificate(leaf.public_bytes(Encoding.DER))
    except (VerificationError, ValueError) as error:
        raise Distrusted("the client certificate is not trusted here") from error
    require_not_revoked(leaf, trust)
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


def require_not_revoked(leaf: x509.Certificate, trust: Trust) -> None:
    """Raise Distrusted for what its issuer has revoked.

    Where lists are configured, an issuer without a current one is not believed at all; OpenSSL does the same.
    """
    if trust.revocations is None:
        return
    issuers = [authority for authority in trust.authorities if authority.subject == leaf.issuer]
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
