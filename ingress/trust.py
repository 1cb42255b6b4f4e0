"""The files of trust: the certificates that client certificates are verified against, and the lists of revoked ones."""

import time
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from schemas.certificates import read_certificates, read_revocations

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
    return Trust(read_certificates("tls.client_ca", client_ca), None if crl is None else read_revocations(crl))


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
