"""Who pushes: the client certificate of a request, and whether a source accepts it."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from cryptography import x509

from ingress.identity.alternative import AlternativeName, alternative_names, read_alternative_name
from ingress.identity.subject import Attributes, attributes_of, read_name, same_name
from schemas.settings.certificates import MALFORMED
from schemas.settings.secret import ConfigurationError
from schemas.settings.sources import Source

Environment = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the door needs of a client certificate. The fingerprint is SHA-256 over its DER form, as lower-case hex."""

    fingerprint: str
    subject: Attributes
    names: frozenset[AlternativeName]
    not_before: datetime
    not_after: datetime


class Distrusted(Exception):
    """A certificate is there and must not be believed. The message says why and quotes nothing of it."""


# Returns the verified certificate of a request, None when it came without one; raises Distrusted.
Identify = Callable[[Environment], Certificate | None]


@lru_cache(maxsize=512)
def read_certificate(der: bytes) -> Certificate:
    """Read a certificate's own fields. Raises ValueError when it is malformed."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        return Certificate(
            hashlib.sha256(der).hexdigest(),
            attributes_of(certificate.subject),
            alternative_names(certificate),
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
        )
    except MALFORMED as error:
        raise ValueError("a malformed certificate") from error


def peer_certificate(environment: Environment) -> Certificate | None:
    """Return the certificate of a TLS connection that ends here. OpenSSL verified it when the connection was made.

    A connection may outlive its certificate, so the validity is looked at again for every request.
    """
    get_certificate = getattr(environment.get("gunicorn.socket"), "getpeercert", None)
    der = get_certificate(True) if get_certificate is not None else None
    if not der:
        return None
    try:
        certificate = read_certificate(der)
    except ValueError as error:
        raise Distrusted("the client certificate is malformed") from error
    require_valid_now(certificate)
    return certificate


def require_valid_now(certificate: Certificate) -> None:
    """Raise Distrusted before and after a certificate's validity."""
    if not certificate.not_before <= datetime.now(UTC) <= certificate.not_after:
        raise Distrusted("the client certificate is not valid at this time")


@dataclass(frozen=True, slots=True)
class Pins:
    """Which certificates speak for one source. One that is trusted and not pinned is anybody's."""

    required: bool
    subjects: frozenset[Attributes]
    names: frozenset[AlternativeName]
    fingerprints: frozenset[str]

    def admit(self, certificate: Certificate) -> bool:
        """Say whether any pin fits the certificate."""
        return (
            certificate.fingerprint in self.fingerprints
            or not self.names.isdisjoint(certificate.names)
            or any(same_name(subject, certificate.subject) for subject in self.subjects)
        )


def read_pins(source: Source) -> Pins:
    """Read the pins of a source. Raises ConfigurationError naming the one that cannot be read."""
    subjects, names, fingerprints = set(), set(), set()
    for text in source.subjects:
        name = read_alternative_name(text.strip())
        if name is not None:
            names.add(name)
            continue
        try:
            subjects.add(read_name(text.strip()))
        except ValueError as error:
            raise ConfigurationError(f"source {source.name}: subjects: {text!r}: {error}") from error
    for text in source.fingerprints:
        digits = re.sub(r"[\s:]", "", text).lower()
        if not re.fullmatch(r"[0-9a-f]{64}", digits):
            raise ConfigurationError(f"source {source.name}: fingerprints: {text!r} is not SHA-256 in hex")
        fingerprints.add(digits)
    return Pins(source.certificate == "required", frozenset(subjects), frozenset(names), frozenset(fingerprints))
