"""TLS as the door speaks it: versions, ciphers, whose certificates it asks for, and a connection that ends cleanly."""

import ssl
from contextlib import suppress
from typing import Any

from cryptography import x509
from gevent.socket import SHUT_RD
from gevent.ssl import SSLContext, SSLSocket

from ingress.handed import Handed
from ingress.trust import load_trust
from schemas.configuration import Configuration, Tls
from schemas.secret import ConfigurationError

# TLS 1.2: forward secrecy and authenticated encryption only. TLS 1.3 has nothing else, and its own list.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
DER = 2  # of the ssl module's own constants, unpublished


class TlsSocket(SSLSocket):  # type: ignore[misc]  # gevent is published without type information
    """A TLS connection that says goodbye (close_notify), without which strict clients report a truncation.

    last_request  the next request is answered, and then the connection ends
    answered      a request has been answered
    began         when the handshake began, on the monotonic clock
    """

    last_request = False
    answered = False
    began = 0.0
    _joins = False
    _kept = b""

    def close(self) -> None:
        """Send close_notify if that needs no waiting, then close."""
        if self._sslobj is not None and self.version() is not None:
            with suppress(OSError, ValueError):  # the peer's own close_notify is not waited for
                self.settimeout(0.0)
                self.unwrap()
        super().close()

    def join_next_two(self) -> None:
        """Keep what is written next until something more is written: both leave as one record, in one packet.

        gunicorn writes head and body of an answer one by one. What is kept when the connection ends is never sent.
        """
        self._joins = True

    def sendall(self, data: bytes, flags: int = 0) -> None:
        """Send everything, or keep it."""
        if self._joins:
            self._joins, self._kept = False, bytes(data)
            return
        if self._kept:
            self._kept, data = b"", self._kept + data
        super().sendall(data, flags)

    def end_reading(self) -> None:
        """Let the request in hand be answered, and no further one be read."""
        with suppress(OSError):  # closed already
            self._sock.shutdown(SHUT_RD)

    def presented(self) -> Handed | None:
        """Return what the peer has shown, None when it showed nothing. Of a resumed session the leaf alone is known."""
        if self._sslobj is None:  # closed
            return None
        leaf = self.getpeercert(True)
        if not leaf:
            return None
        chain: list[Any] = getattr(self._sslobj, "get_unverified_chain", list)() or []
        found = [x509.load_der_x509_certificate(der_of(certificate)) for certificate in chain]
        return Handed(x509.load_der_x509_certificate(leaf), tuple(found[1:]))


def der_of(certificate: Any) -> bytes:  # noqa: ANN401 - the ssl module's own type is unpublished
    """Return a certificate of the ssl module's as DER."""
    return bytes(certificate.public_bytes(DER))


def every_source_demands_certificate(configuration: Configuration) -> bool:
    """Say whether a connection without a client certificate is of no use to anybody."""
    if configuration.door.front is not None and configuration.door.front.networks:
        return False  # the proxy shows none of its own
    return all(source.certificate == "required" for source in configuration.sources)


def build_context(tls: Tls, *, demand_certificate: bool) -> SSLContext:
    """Build a server context from the files. Raises ConfigurationError naming the file that cannot be used.

    OpenSSL checks a client certificate's purpose by itself (`sslclient`). A session that is resumed by its ticket is
    not verified again. Its ticket is good for this one context only, so how long a context is used bounds how long ago
    the verification may have been.
    """
    load_trust(tls.client_ca, tls.crl)
    context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslsocket_class = TlsSocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF  # HTTP's own framing tells a cut body; the answer is no TLS alert
    context.set_ciphers(CIPHERS)
    context.verify_mode = ssl.CERT_REQUIRED if demand_certificate else ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"tls: {tls.certificate} and {tls.key} cannot be used together ({error})") from error
    try:
        context.load_verify_locations(cafile=tls.client_ca)
        if tls.crl is not None:
            context.load_verify_locations(cafile=tls.crl)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"tls: {tls.client_ca} or {tls.crl} cannot be used ({error})") from error
    return context
