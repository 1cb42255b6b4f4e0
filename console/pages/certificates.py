"""How long the door's certificate files are still good for, as a page can show it: read again at most once a minute."""

import time
from dataclasses import dataclass

from schemas.settings.certificates import Expiry, read_expiries
from schemas.settings.configuration import Tls

KEPT_SECONDS = 60.0
NAMES = {"certificate": "Server certificate", "client_ca": "Client CA", "crl": "Revocation list"}


@dataclass(frozen=True, slots=True)
class Certificate:
    """A file by the name of its setting, or the one that a sender came with last.

    days    left to the first of its certificates; None: unreadable
    sender  whether it is the sender's to renew
    """

    name: str
    days: float | None
    what: str
    sender: bool = False


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
    return [show_expiry(expiry) for expiry in read_expiries(tls)]


def show_expiry(expiry: Expiry) -> Certificate:
    """Return an expiry as people read it."""
    name = NAMES[expiry.file]
    if expiry.fault is not None:
        return Certificate(name, None, expiry.fault)
    if expiry.ends is None or expiry.days is None:
        return Certificate(name, float("inf"), "names no end")
    return Certificate(name, expiry.days, f"until {expiry.ends:%Y-%m-%d}")
