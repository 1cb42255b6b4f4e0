"""The files of trust: the certificates that client certificates are verified against, and the lists of revoked ones."""

import time
from dataclasses import dataclass
from math import inf
from pathlib import Path

from cryptography import x509

from ingress.trust.revocation import leave_out_revoked
from schemas.settings.certificates import MALFORMED, read_certificates, read_revocations
from schemas.settings.secret import ConfigurationError

LOOK_SECONDS = 0.2
REST_SECONDS = 0.5

Stamp = tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Trust:
    """The content of `tls.client_ca` and, when configured, `tls.crl`.

    Every authority in the file is a trust anchor, but for those that another one of them has revoked.
    """

    authorities: tuple[x509.Certificate, ...]
    revocations: tuple[x509.CertificateRevocationList, ...] | None


def load_trust(client_ca: str, crl: str | None) -> Trust:
    """Read the files. Raises ConfigurationError naming the file and the fault."""
    authorities = read_certificates("tls.client_ca", client_ca)
    if crl is None:
        return Trust(authorities, None)
    revocations = read_revocations(crl)
    try:
        _names = [(authority.subject, authority.issuer) for authority in authorities]
        unrevoked = leave_out_revoked(authorities, authorities, revocations)
    except MALFORMED as error:
        raise ConfigurationError(f"tls: {client_ca} holds a name, or {crl} an entry, that cannot be read") from error
    return Trust(unrevoked, revocations)


def stamp_files(*files: str | None) -> Stamp:
    """Return what changes when any of the files is replaced or rewritten; a missing file counts as such."""
    stamps = []
    for file in files:
        try:
            status = Path(file).stat() if file is not None else None
        except OSError:
            status = None
        stamps.append(
            (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino) if status else (0, 0, 0, 0)
        )
    return tuple(stamps)


def rest_of(stamp: Stamp) -> float:
    """Return for how many seconds none of the files has been touched, by the clock that stamps files.

    A file's own time may be another host's, when it was copied with it: only when it came here counts. A time that lies
    ahead all the same is of a clock that was wrong, and nothing waits for it.
    """
    rest = time.time() - max((changed for _modified, changed, _size, _inode in stamp), default=0) / 1e9
    return rest if rest >= 0 else inf


class FileWatch:
    """Tells when any of some files has changed and come to rest: a file that is being written is no file yet.

    Who asks all the time learns of it when nothing has moved for REST_SECONDS, whatever the clocks of a file's host
    say. Who asks again after a while must learn of it at once, and for him the times of the files have to do.
    """

    def __init__(self, *files: str | None) -> None:
        self.files = files
        self._taken = self._seen = stamp_files(*files)
        self._seen_at = self._looked_at = time.monotonic()

    def has_changed(self) -> bool:
        """Say, once for each change, that there is one. Cheap enough to ask for every push."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return False
        quiet = now - self._looked_at >= REST_SECONDS
        self._looked_at = now
        stamp = stamp_files(*self.files)
        if stamp != self._seen:
            self._seen, self._seen_at = stamp, now
        rested = now - self._seen_at if not quiet else rest_of(stamp)
        if stamp == self._taken or rested < REST_SECONDS:
            return False
        self._taken = stamp
        return True
