"""TLS as the door speaks it: versions, ciphers, whose certificates it asks for, and a connection that ends cleanly."""

import ssl
from contextlib import suppress
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from gevent.socket import SHUT_RD
from gevent.ssl import SSLContext, SSLSocket

from ingress.listener.turns import TurnTaking
from ingress.trust.files import Trust
from schemas.settings.configuration import Configuration, Tls
from schemas.settings.secret import ConfigurationError

# TLS 1.2: forward secrecy and authenticated encryption only. TLS 1.3 has nothing else, and its own list.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
DER = 2  # of the ssl module's own constants, unpublished


class TlsSocket(TurnTaking, SSLSocket):  # type: ignore[misc]  # gevent is published without type information
    """A TLS connection that says goodbye (close_notify), without which strict clients report a truncation.

    last_request  the next request is answered, and then the connection ends
    distrusted    no further request is answered, not even one that has come already
    answered      a request has been answered
    began         when the handshake began, on the monotonic clock
    chain         by which the peer is trusted: certificates as DER, the leaf first; empty when that is not known
    """

    last_request = False
    distrusted = False
    answered = False
    began = 0.0
    chain: tuple[bytes, ...] = ()
    _certificate: bytes | None = None

    def close(self) -> None:
        """Send close_notify if that needs no waiting, then close."""
        self.say_goodbye()
        super().close()

    def say_goodbye(self) -> None:
        """Send close_notify if that needs no waiting."""
        if self._sslobj is None or self.version() is None:
            return
        with suppress(OSError, ValueError):  # the peer's own close_notify is not waited for
            self.settimeout(0.0)
            self.unwrap()
        self.settimeout(None)

    def getpeercert(self, binary_form: bool = False) -> Any:  # noqa: ANN401 - the ssl module's signature
        """Return the peer's certificate. As DER it is kept: no connection of ours changes it after its handshake."""
        if not binary_form:
            return super().getpeercert()
        if self._certificate is None and self._sslobj is not None:
            self._certificate = super().getpeercert(True)
        return self._certificate

    def end_reading(self) -> None:
        """Let the request in hand be answered, and no further one be read."""
        with suppress(OSError):  # closed already
            self._sock.shutdown(SHUT_RD)

    def distrust(self) -> None:
        """Let the request in hand be answered, and none of those that wait behind it."""
        self.distrusted = True
        self.end_reading()

    def verified_chain(self) -> tuple[bytes, ...]:
        """Return the chain that OpenSSL verified at this handshake, as DER; empty when it resumed a session."""
        verified: list[Any] = getattr(self._sslobj, "get_verified_chain", list)() or []
        return tuple(der_of(certificate) for certificate in verified)

    def presented(self) -> tuple[x509.Certificate, ...]:
        """Return the certificates that the peer sent along with its own; none when it resumed a session."""
        shown: list[Any] = getattr(self._sslobj, "get_unverified_chain", list)() or []
        return tuple(x509.load_der_x509_certificate(der_of(certificate)) for certificate in shown[1:])


def der_of(certificate: Any) -> bytes:  # noqa: ANN401 - the ssl module's own type is unpublished
    """Return a certificate of the ssl module's as DER."""
    return bytes(certificate.public_bytes(DER))


def every_source_demands_certificate(configuration: Configuration) -> bool:
    """Say whether a connection without a client certificate is of no use to anybody."""
    if configuration.door.front is not None and configuration.door.front.networks:
        return False  # the proxy shows none of its own
    return all(source.certificate == "required" for source in configuration.sources)


def build_context(tls: Tls, trust: Trust, *, demand_certificate: bool) -> SSLContext:
    """Build a server context from the files and what was read of them. Raises ConfigurationError naming the bad one.

    OpenSSL checks a client certificate's purpose by itself (`sslclient`). A session that is resumed by its ticket is
    not verified again. Its ticket is good for this one context only, so how long a context is used bounds how long ago
    the verification may have been.
    """
    context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslsocket_class = TlsSocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF  # HTTP's own framing tells a cut body; the answer is no TLS alert
    context.set_ciphers(CIPHERS)
    context.num_tickets = 1  # good for any number of connections; a second one costs an eighth of a handshake
    context.verify_mode = ssl.CERT_REQUIRED if demand_certificate else ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"tls: {tls.certificate} and {tls.key} cannot be used together ({error})") from error
    try:
        if trust.authorities:  # all of them may be revoked
            context.load_verify_locations(cadata=b"".join(one.public_bytes(Encoding.DER) for one in trust.authorities))
        if tls.crl is not None:
            context.load_verify_locations(cafile=tls.crl)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"tls: {tls.client_ca} or {tls.crl} cannot be used ({error})") from error
    return context
