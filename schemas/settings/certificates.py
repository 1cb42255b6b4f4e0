"""The files that [tls] names: reading them, and until when each is good, for the door and for whoever watches it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from schemas.settings.configuration import Tls
from schemas.settings.secret import ConfigurationError

# What `cryptography` raises over a certificate, parts of which it reads only when asked for them.
MALFORMED = (ValueError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
_CRL = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)
_CERTIFICATE = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----")


@dataclass(frozen=True, slots=True)
class Expiry:
    """Until when one file is good: the first of its certificates to expire, or of its lists to be due.

    file   the name of the setting: certificate, client_ca or crl
    ends   None when nothing in the file says, or when it cannot be read
    fault  why it cannot be read
    """

    file: str
    ends: datetime | None
    fault: str | None = None

    @property
    def days(self) -> float | None:
        """Days left from now on; None when no end is known."""
        return None if self.ends is None else (self.ends - datetime.now(UTC)).total_seconds() / 86_400


def read_expiries(tls: Tls) -> Iterator[Expiry]:
    """Read the files anew and yield until when each is good."""
    for file, path in (("certificate", tls.certificate), ("client_ca", tls.client_ca)):
        try:
            certificates = read_certificates(f"tls.{file}", path)
        except ConfigurationError as error:
            yield Expiry(file, None, str(error))
        else:
            yield Expiry(file, min(certificate.not_valid_after_utc for certificate in certificates))
    if tls.crl is None:
        return
    try:
        lists = read_revocations(tls.crl)
    except ConfigurationError as error:
        yield Expiry("crl", None, str(error))
    else:
        yield Expiry("crl", min((one.next_update_utc for one in lists if one.next_update_utc), default=None))


def read_certificates(setting: str, file: str) -> tuple[x509.Certificate, ...]:
    """Read a PEM file of one or more certificates. Raises ConfigurationError naming the setting and the fault."""
    try:
        return tuple(x509.load_pem_x509_certificates(read_bytes(setting, file)))
    except MALFORMED as error:
        raise ConfigurationError(f"{setting}: {file} is not a PEM file of certificates") from error


def read_revocations(file: str) -> tuple[x509.CertificateRevocationList, ...]:
    """Read a PEM file of one or more revocation lists, one for each authority that issues client certificates.

    A certificate in this file is refused: OpenSSL would silently trust it as an authority. Raises ConfigurationError.
    """
    content = read_bytes("tls.crl", file)
    if _CERTIFICATE.search(content):
        raise ConfigurationError(f"tls.crl: {file} holds a certificate; authorities belong into tls.client_ca")
    try:
        lists = tuple(x509.load_pem_x509_crl(block) for block in _CRL.findall(content))
        _names = [one.issuer for one in lists]  # cryptography reads a name when it is asked for it, and only then
    except MALFORMED as error:
        raise ConfigurationError(f"tls.crl: {file} holds a malformed revocation list") from error
    if not lists:
        raise ConfigurationError(f"tls.crl: {file} holds no PEM revocation list")
    return lists


def read_bytes(setting: str, file: str) -> bytes:
    """Read a file, naming the setting that named it when it cannot be read."""
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{setting}: {file} cannot be read ({error.strerror})") from error
