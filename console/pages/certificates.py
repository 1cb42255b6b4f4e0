"""How long the door's certificate files are still good for, as a page can show it: read again at most once a minute."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from schemas.configuration import Tls

KEPT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Certificate:
    """A file by the name of its setting. `days` are those left to the first of its certificates; None: unreadable."""

    name: str
    days: float | None
    what: str


class Certificates:
    """The files of a configuration."""

    def __init__(self, tls: Tls | None) -> None:
        self._tls = tls
        self._read_at = -KEPT_SECONDS
        self._found: list[Certificate] = []

    def look(self) -> list[Certificate]:
        """Return how each stands; none where a proxy ends TLS."""
        if self._tls is None:
            return []
        if time.monotonic() - self._read_at >= KEPT_SECONDS:
            self._found = look_at_files(self._tls)
            self._read_at = time.monotonic()
        return self._found


def look_at_files(tls: Tls) -> list[Certificate]:
    """Return how the server's certificate, the CAs that certify senders, and the list of revoked ones stand."""
    named = {"Server certificate": tls.certificate, "Client CA": tls.client_ca}
    found = [look_at(name, Path(path)) for name, path in named.items()]
    return [*found, look_at("Revocation list", Path(tls.crl), crl=True)] if tls.crl else found


def look_at(name: str, path: Path, *, crl: bool = False) -> Certificate:
    """Return how one PEM file stands."""
    try:
        text = path.read_bytes()
        if crl:
            ends = x509.load_pem_x509_crl(text).next_update_utc
        else:
            ends = min(one.not_valid_after_utc for one in x509.load_pem_x509_certificates(text))
    except (OSError, ValueError) as error:
        return Certificate(name, None, f"{path.name} cannot be read ({type(error).__name__})")
    if ends is None:
        return Certificate(name, float("inf"), "names no end")
    days = (ends - datetime.now(UTC)).total_seconds() / 86_400
    return Certificate(name, days, f"until {ends:%Y-%m-%d}")
