"""The proxy in front: which requests come from it, and the client certificates that it hands over.

The proxy ends TLS and writes the client's certificate into a header, over whatever the client sent there. The door
reads that header only on its own unix socket, which only the proxy can open, or from the proxy's configured addresses,
and even then believes only that this certificate was presented: whether to trust it is decided here, from the same
files as without a proxy.
"""

import os
import time
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from socket import AF_UNIX

from ingress.identity.certificate import Certificate, Distrusted, Environment, require_valid_now
from ingress.telemetry.log import explain, open_log
from ingress.trust.files import FileWatch, Trust, load_trust
from ingress.trust.handed import WAYS
from ingress.trust.verify import verify_certificate
from schemas.settings.certificates import MALFORMED
from schemas.settings.configuration import Tls
from schemas.settings.door import Proxy

REMEMBER_SECONDS = 60.0
REMEMBER_AT_MOST = 512


class ProxiedCertificates:
    """Reads and verifies certificates from the proxy's headers. Follows the files of trust as they change on disk.

    Without `tls` no source demands a certificate, and nobody is believed to have one.
    """

    def __init__(self, proxy: Proxy, tls: Tls | None) -> None:
        self._tls = tls
        self._way = WAYS[proxy.header]
        self._networks = tuple(ip_network(network) for network in proxy.networks)
        self._watch = FileWatch(*(() if tls is None else (tls.client_ca, tls.crl)))
        self._trust = Trust((), None) if tls is None else load_trust(tls.client_ca, tls.crl)
        self._verified: dict[tuple[str, str], Certificate] = {}
        self._forget_at = 0.0
        self._log = open_log()

    def speaks(self, environment: Environment) -> bool:
        """Say whether a request comes from the proxy: over a unix socket, or from one of its addresses."""
        if getattr(environment.get("gunicorn.socket"), "family", None) == AF_UNIX:
            return True
        if not self._networks:
            return False
        peer = read_address(str(environment.get("REMOTE_ADDR", "")))
        return peer is not None and any(peer in network for network in self._networks)

    def address(self, environment: Environment) -> str:
        """Return the client's address: as the proxy tells it, or that of the connection."""
        _, _, last = str(environment.get(self._way.address, "")).rpartition(",")
        told = read_address(last) if self.speaks(environment) else None
        return str(told) if told is not None else str(environment.get("REMOTE_ADDR", ""))

    def identify(self, environment: Environment) -> Certificate | None:
        """Return the certificate of a request, verified; None when the client presented none. Raises Distrusted."""
        text = str(environment.get(self._way.certificate, ""))
        if not text or self._tls is None:
            return None
        self.follow_files()
        self._forget_in_time()
        chain = str(environment.get(self._way.chain, ""))
        certificate = self._verified.get((text, chain))
        if certificate is None:
            try:
                handed = self._way.read(text, chain)
            except MALFORMED as error:
                raise Distrusted("the proxy's certificate header cannot be read") from error
            certificate = self._verified[text, chain] = verify_certificate(handed, self._trust)
        require_valid_now(certificate)
        return certificate

    def follow_files(self) -> None:
        """Take over files that have changed. Those that cannot be used leave the old ones in their place."""
        if self._tls is None or not self._watch.has_changed():
            return
        try:
            self._trust, self._forget_at = load_trust(self._tls.client_ca, self._tls.crl), 0.0
        except Exception as error:  # noqa: BLE001 - a door with the former files is better than none
            self._log.error("certificates not renewed", process=os.getpid(), why=explain(error))
        else:
            self._log.info("certificates renewed", process=os.getpid())

    def _forget_in_time(self) -> None:
        if time.monotonic() >= self._forget_at or len(self._verified) >= REMEMBER_AT_MOST:
            self._verified.clear()
            self._forget_at = time.monotonic() + REMEMBER_SECONDS


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address, with or without a port; None when it is none. An IPv4 address in IPv6 form is the IPv4 one."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    with suppress(ValueError):
        address = ip_address(text)
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return mapped or address
    return None
