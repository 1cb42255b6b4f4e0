"""Handshakes under a deadline, with a context that follows its files.

gunicorn's gevent worker builds its TLS context once and lets a connection take all the time it wants for its handshake.
So its `ssl_context` hook is given the object below instead, whose `wrap_socket` delegates to the context in use. What
cannot be served here is closed and ends its greenlet quietly: strangers at the door are no errors.
"""

import os
import time
from ssl import SSLEOFError, SSLError, SSLZeroReturnError
from typing import Any, NoReturn

import gevent

from ingress.identity.certificate import Distrusted
from ingress.listener.chains import Chains, require_still_trusted
from ingress.listener.crowd import Crowd
from ingress.listener.tls import TlsSocket, build_context, every_source_demands_certificate
from ingress.listener.turns import give_way
from ingress.telemetry import metrics
from ingress.telemetry.log import explain, open_log
from ingress.trust.files import FileWatch, Trust, load_trust
from schemas.settings.certificates import MALFORMED
from schemas.settings.configuration import Configuration, Tls

CONTEXT_SECONDS = 600.0  # then a new one: no session ticket is good for longer
VERIFY_AT_ONCE = 50
FIRST_REQUEST_SECONDS = 3.0


class RotatingContext:
    """Stands in for a TLS context in gunicorn's worker. Building it raises ConfigurationError."""

    def __init__(self, configuration: Configuration, tls: Tls, most: int) -> None:
        self._tls = tls
        self._demand = every_source_demands_certificate(configuration)
        self._handshake_seconds = configuration.door.handshake_timeout
        self._crowd = Crowd(configuration.door, most)
        self._log = open_log()
        self._watch = FileWatch(tls.certificate, tls.key, tls.client_ca, tls.crl)
        self._renew()

    def begin_worker(self) -> None:
        """Read the files anew in a worker process: the master may not have looked at them since they changed.

        And a context of its own gives tickets that are good in no other process, which would know no chain to them.
        """
        self._renew_at = 0.0
        self.follow_files()

    def follow_files(self) -> None:
        """Renew the context when a file has changed. Files that cannot be used leave the old one in its place.

        Connections made under the old files serve one more request each, so that none is refused; those whose
        certificate is not trusted any more end at once, after the request in hand.
        """
        changed = self._watch.has_changed()
        if not changed and time.monotonic() < self._renew_at:
            return
        try:
            self._renew()
        except Exception as error:  # noqa: BLE001 - a door with the former files is better than none
            self._renew_at = time.monotonic() + CONTEXT_SECONDS
            self._log.error("certificates not renewed", process=os.getpid(), why=explain(error))
            return
        if changed:
            self._log.info("certificates renewed", process=os.getpid())
            self._judge_connections()

    def end_connections(self) -> None:
        """Let every connection end after the request in hand; one that is new may still make its first."""
        for connection in self._crowd.connections():
            if connection.answered or time.monotonic() - connection.began > FIRST_REQUEST_SECONDS:
                connection.end_reading()

    def prove(self) -> None:
        """Note that the connection which this greenlet serves has pushed."""
        self._crowd.prove(gevent.getcurrent())

    def wrap_socket(self, sock: Any, **options: Any) -> TlsSocket:  # noqa: ANN401 - gevent has no types
        """Make the handshake, in the greenlet of the connection, and return the TLS socket."""
        guest = gevent.getcurrent()
        try:
            address = str(sock.getpeername()[0])
        except OSError:
            self._refuse(sock, "gone")
        if not self._crowd.admit(address, guest, sock):
            self._refuse(sock, "too many connections", address)
        guest.rawlink(lambda ended: self._crowd.leave(address, ended))
        context, chains = self._context, self._chains
        connection = context.wrap_socket(sock, **{**options, "do_handshake_on_connect": False})
        connection.began = time.monotonic()
        self._crowd.replace(guest, connection)
        try:
            with gevent.Timeout(self._handshake_seconds, TimeoutError):
                connection.do_handshake()
            chains.note(connection)
        except TimeoutError:
            self._refuse(connection, "handshake too slow", address)
        except (SSLEOFError, SSLZeroReturnError):
            self._refuse(connection, "gone")
        except SSLError as error:
            self._refuse(connection, getattr(error, "verify_message", None) or error.reason or "handshake", address)
        except Distrusted as reason:
            self._refuse(connection, str(reason), address)
        except (OSError, *MALFORMED):
            self._refuse(connection, "gone")
        if context is not self._context:  # renewed in the midst of the handshake
            judge_connection(connection, self._trust)
        return connection  # type: ignore[no-any-return]  # gevent is published without type information

    def _renew(self) -> None:
        """Build a context from the files as they are. Raises ConfigurationError, and then changes nothing."""
        trust = load_trust(self._tls.client_ca, self._tls.crl)
        self._context = build_context(self._tls, trust, demand_certificate=self._demand)
        self._trust: Trust = trust
        self._chains = Chains(trust)
        self._renew_at = time.monotonic() + CONTEXT_SECONDS

    def _judge_connections(self) -> None:
        for place, connection in enumerate(self._crowd.connections()):
            judge_connection(connection, self._trust)
            if place % VERIFY_AT_ONCE == 0:
                give_way()  # a push must not wait for all of them

    def _refuse(self, sock: Any, reason: str, address: str | None = None) -> NoReturn:  # noqa: ANN401 - as above
        """Close a connection that never became one, and end its greenlet without a traceback."""
        reason = reason.lower().replace("_", " ")
        metrics.REFUSED_CONNECTIONS.labels(reason=reason).inc()
        if address is not None:
            self._log.warning("connection refused", why=reason, address=address)
        sock.close()
        raise gevent.GreenletExit


def judge_connection(connection: TlsSocket, trust: Trust) -> None:
    """Let a connection serve one more request if its certificate is still trusted, none if it is not."""
    connection.last_request = True
    try:
        require_still_trusted(connection, trust)
    except (OSError, ValueError):
        pass  # closed meanwhile, or in its handshake: then under the new files or soon gone
    except Exception:  # noqa: BLE001 - whatever it is, the others are to be judged, too
        connection.distrust()  # not trusted, or nobody can say
