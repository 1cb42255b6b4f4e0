"""The files of trust: the certificates that client certificates are verified against, and the lists of revoked ones."""

import re
import time
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from schemas.secret import ConfigurationError

_CRL = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)
_CERTIFICATE = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----")

LOOK_SECONDS = 0.2
REST_SECONDS = 0.5

Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Trust:
    """The content of `tls.client_ca` and, when configured, `tls.crl`. Every authority in the file is a trust anchor."""

    authorities: tuple[x509.Certificate, ...]
    revocations: tuple[x509.CertificateRevocationList, ...] | None


def load_trust(client_ca: str, crl: str | None) -> Trust:
    """Read the files. Raises ConfigurationError naming the file and the fault."""
    return Trust(read_authorities(client_ca), None if crl is None else read_revocations(crl))


def read_authorities(file: str) -> tuple[x509.Certificate, ...]:
    """Read a PEM file of one or more certificates."""
    try:
        return tuple(x509.load_pem_x509_certificates(read_bytes("tls.client_ca", file)))
    except ValueError as error:
        raise ConfigurationError(f"tls.client_ca: {file} is not a PEM file of certificates") from error


def read_revocations(file: str) -> tuple[x509.CertificateRevocationList, ...]:
    """Read a PEM file of one or more revocation lists, one for each authority that issues client certificates.

    A certificate in this file is refused: OpenSSL would silently trust it as an authority.
    """
    content = read_bytes("tls.crl", file)
    if _CERTIFICATE.search(content):
        raise ConfigurationError(f"tls.crl: {file} holds a certificate; authorities belong into tls.client_ca")
    try:
        lists = tuple(x509.load_pem_x509_crl(block) for block in _CRL.findall(content))
    except ValueError as error:
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


def stamp_files(*files: str | None) -> Stamp:
    """Return what changes when any of the files is replaced or rewritten; a missing file counts as such."""
    stamps = []
    for file in files:
        try:
            status = Path(file).stat() if file is not None else None
        except OSError:
            status = None
        stamps.append((status.st_mtime_ns, status.st_size, status.st_ino) if status else (0, 0, 0))
    return tuple(stamps)


class FileWatch:
    """Tells when any of some files has changed and come to rest: a file that is being written is no file yet."""

    def __init__(self, *files: str | None) -> None:
        self._files = files
        self._taken = self._seen = stamp_files(*files)
        self._seen_at = self._looked_at = time.monotonic()

    def has_changed(self) -> bool:
        """Say, once for each change, that there is one. Cheap enough to ask for every push."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return False
        self._looked_at = now
        stamp = stamp_files(*self._files)
        if stamp != self._seen:
            self._seen, self._seen_at = stamp, now
        if stamp == self._taken or now - self._seen_at < REST_SECONDS:
            return False
        self._taken = stamp
        return True
