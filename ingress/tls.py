"""Mutual TLS in the door itself: a context that follows its files, handshakes under a deadline, a share per address.

gunicorn's gevent worker builds its TLS context once and lets a connection take all the time it wants for its handshake.
So its `ssl_context` hook is given the object below instead, whose `wrap_socket` delegates to a context cached by file
times. What cannot be served here is closed and ends its greenlet quietly: strangers at the door are no errors.
"""

import ssl
from collections import Counter
from contextlib import suppress
from ssl import SSLEOFError, SSLError, SSLZeroReturnError
from typing import Any, NoReturn
from weakref import WeakSet

import gevent
from gevent.socket import SHUT_RD
from gevent.ssl import SSLContext, SSLSocket

from ingress import metrics
from ingress.log import open_log
from ingress.peers import network_of
from ingress.trust import Stamp, load_trust, stamp_files
from schemas.configuration import Configuration, Tls
from schemas.secret import ConfigurationError


class TlsSocket(SSLSocket):  # type: ignore[misc]  # gevent is published without type information
    """A TLS connection that says goodbye (close_notify), without which strict clients report a truncation."""

    def close(self) -> None:
        """Send close_notify if that needs no waiting, then close."""
        if self._sslobj is not None and self.version() is not None:
            with suppress(OSError, ValueError):  # the peer's own close_notify is not waited for
                self.settimeout(0.0)
                self.unwrap()
        super().close()

    def end_reading(self) -> None:
        """Let the request in hand be answered, and no further one be read."""
        with suppress(OSError):  # closed already
            self._sock.shutdown(SHUT_RD)


def every_source_demands_certificate(configuration: Configuration) -> bool:
    """Say whether a connection without a client certificate is of no use to anybody."""
    return all(source.certificate == "required" for source in configuration.sources)


def build_context(tls: Tls, *, demand_certificate: bool) -> SSLContext:
    """Build a server context from the files. Raises ConfigurationError naming the file that cannot be used.

    OpenSSL checks a client certificate's purpose by itself (`sslclient`). Sessions are not resumed by ticket: a resumed
    one would skip the verification, and with it the revocation list.
    """
    load_trust(tls.client_ca, tls.crl)
    context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslsocket_class = TlsSocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF  # HTTP's own framing tells a cut body; the answer is no TLS alert
    context.num_tickets = 0
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


class RotatingContext:
    """Stands in for a TLS context in gunicorn's worker. Building it raises ConfigurationError.

    `connections_per_address` counts in each worker process by itself.
    """

    def __init__(self, configuration: Configuration, tls: Tls) -> None:
        self._tls = tls
        self._demand = every_source_demands_certificate(configuration)
        self._handshake_seconds = configuration.door.handshake_timeout
        self._share = configuration.door.connections_per_address
        self._open: Counter[str] = Counter()
        self._connections: WeakSet[TlsSocket] = WeakSet()
        self._log = open_log()
        self._stamp = self._stamp_files()
        self._context = build_context(tls, demand_certificate=self._demand)

    def follow_files(self) -> None:
        """Rebuild the context when a file has changed. One that cannot be used leaves the old context in its place.

        Connections made under the old files end after the request in hand: their certificates were not looked up in the
        new revocation list.
        """
        stamp = self._stamp_files()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._context = build_context(self._tls, demand_certificate=self._demand)
        except ConfigurationError as error:
            self._log.error("certificates not renewed", why=str(error))
            return
        self._log.info("certificates renewed")
        self.end_connections()

    def end_connections(self) -> None:
        """Let every connection end after the request in hand."""
        for connection in list(self._connections):
            connection.end_reading()

    def wrap_socket(self, sock: Any, **options: Any) -> TlsSocket:  # noqa: ANN401 - gevent has no types
        """Make the handshake, in the greenlet of the connection, and return the TLS socket."""
        try:
            address = network_of(sock.getpeername()[0])
        except OSError:
            self._refuse(sock, "gone")
        if self._open[address] >= self._share:
            self._refuse(sock, "too many connections", address)
        self._count_until_end(address)
        self.follow_files()
        connection = self._context.wrap_socket(sock, **{**options, "do_handshake_on_connect": False})
        try:
            with gevent.Timeout(self._handshake_seconds, TimeoutError):
                connection.do_handshake()
        except TimeoutError:
            self._refuse(connection, "handshake too slow", address)
        except (SSLEOFError, SSLZeroReturnError):
            self._refuse(connection, "gone")
        except SSLError as error:
            self._refuse(connection, getattr(error, "verify_message", None) or error.reason or "handshake", address)
        except OSError:
            self._refuse(connection, "gone")
        self._connections.add(connection)
        return connection  # type: ignore[no-any-return]  # gevent is published without type information

    def _stamp_files(self) -> Stamp:
        return stamp_files(self._tls.certificate, self._tls.key, self._tls.client_ca, self._tls.crl)

    def _count_until_end(self, address: str) -> None:
        self._open[address] += 1

        def discount(_greenlet: object) -> None:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]

        gevent.getcurrent().rawlink(discount)

    def _refuse(self, sock: Any, reason: str, address: str | None = None) -> NoReturn:  # noqa: ANN401 - as above
        """Close a connection that never became one, and end its greenlet without a traceback."""
        reason = reason.lower().replace("_", " ")
        metrics.REFUSED_CONNECTIONS.labels(reason=reason).inc()
        if address is not None:
            self._log.warning("connection refused", why=reason, address=address)
        sock.close()
        raise gevent.GreenletExit
