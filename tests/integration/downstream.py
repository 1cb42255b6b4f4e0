"""A downstream service for the tests of forwarding, and the ways to make something due to it."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from psycopg import sql
from uuid_utils.compat import uuid7

from schemas.alert.alert import Alert
from schemas.downstream.subscription import Credentials, generate_secret, seal_credentials
from schemas.settings.forwarding import Forwarding
from workers.database.connections import Database, connect_database
from workers.delivery.clock import SharedClock
from workers.delivery.forward import Forwarder
from workers.intake.announce import announce_events
from workers.intake.outcomes import Event
from workers.outgoing.guard import Resolve, resolve_name
from workers.settings import Workshop

QUICK = Forwarding(schedule=(0.05, 0.05), jitter=0, timeout=1, allow_http=True, allow_private_addresses=True)
SECRET = generate_secret()
SIGNED = Credentials(secret=SECRET)


@dataclass
class Receiver:
    """A receiver that answers with the given statuses in turn, the last one for ever.

    body      what it answers with
    headers   what it sends besides
    pause     seconds before each answer
    busiest   how many requests it had at once, at most
    """

    url: str
    statuses: list[int] = field(default_factory=lambda: [204])
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0.0
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    busy: int = 0
    busiest: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def events(self) -> list[str]:
        """Return the events received, in order."""
        return [json.loads(body)["event"] for _headers, body in self.received]

    def alerts(self) -> list[str]:
        """Return the ids of the alerts received, in order."""
        return [json.loads(body)["payload"]["id"] for _headers, body in self.received]

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Note a request and return the status to answer with."""
        with self.lock:
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
            self.received.append((headers, body))
            self.times.append(time.monotonic())
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        time.sleep(self.pause)
        with self.lock:
            self.busy -= 1
        return status


@contextmanager
def run_receiver(wrap: Any = None) -> Iterator[Receiver]:  # noqa: ANN401 - an SSLContext, or None for plain HTTP
    """Run a receiver on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = target.take({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            for name, value in target.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(target.body)))
            if status in {301, 302, 307} and "Location" not in target.headers:
                self.send_header("Location", target.url)
            self.end_headers()
            self.wfile.write(target.body)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

        def handle_error(self, *_args: object) -> None:
            """Say nothing of a handshake that failed."""

    server = Server(("127.0.0.1", 0), Handler)
    if wrap is not None:
        server.socket = wrap.wrap_socket(server.socket, server_side=True)
    target = Receiver(f"{'http' if wrap is None else 'https'}://127.0.0.1:{server.server_port}/hook")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield target
    server.shutdown()
    thread.join()
    server.server_close()


def tuned(workshop: Workshop, settings: Forwarding) -> Workshop:
    """Return the workshop with other forwarding settings."""
    configuration = msgspec.structs.replace(workshop.configuration, forwarding=settings)
    return Workshop(configuration, workshop.keyring, workshop.journal_url, workshop.broker_url, workshop.database_url)


def subscribe(
    workshop: Workshop,
    url: str,
    events: tuple[str, ...] = ("alert.*",),
    credentials: Credentials = SIGNED,
    **terms: object,
) -> str:
    """Add a subscription with these columns; return its id."""
    subscription_id = str(uuid7())
    row = {"id": subscription_id, "name": f"test {subscription_id}", "url": url, "events": list(events), **terms}
    row["sealed"] = seal_credentials(credentials, subscription_id, workshop.keyring)
    statement = sql.SQL("INSERT INTO subscriptions ({names}) VALUES ({values})").format(
        names=sql.SQL(", ").join(map(sql.Identifier, row)), values=sql.SQL(", ").join(map(sql.Placeholder, row))
    )
    with connect_database(workshop.database_url, "test") as database:
        database.execute(statement, row)
    return subscription_id


def announce(workshop: Workshop, *types: str, alert_id: str | None = None, **facts: str) -> str:
    """Announce events of one alert as a drain does; return the alert's id."""
    alert = make_alert(alert_id or str(uuid7()), facts)
    announce_together(workshop, [Event(event, alert) for event in types])
    return alert.id


def announce_together(workshop: Workshop, events: Sequence[Event]) -> None:
    """Announce events in one batch."""
    with connect_database(workshop.database_url, "test") as database, database.transaction():
        announce_events(database, events)


def make_alert(alert_id: str, facts: dict[str, str] | None = None) -> Alert:
    """Return an alert that has just come."""
    received_at = SharedClock().now().isoformat()
    return Alert(alert_id, "ethoca", "A1", "ethoca", "confirmed_fraud", "open", received_at, facts=facts or {})


def deliver(workshop: Workshop, attempts: int, resolve: Resolve = resolve_name, seconds: float = 20) -> Counter[str]:
    """Forward until so many attempts are recorded, and a moment longer; return all there were, by verdict."""
    forwarder = Forwarder(workshop, resolve)
    verdicts: Counter[str] = Counter()
    until = time.monotonic() + seconds
    while verdicts.total() < attempts and time.monotonic() < until:
        verdicts += forwarder.run(0.1)
    return verdicts + forwarder.run(0.1) + forwarder.finish()


def end_leases(database: Database) -> None:
    """Let the time of every lease pass."""
    database.execute("UPDATE outbox SET due_at = now() WHERE lease IS NOT NULL")


def forward(workshop: Workshop, seconds: float, resolve: Resolve = resolve_name) -> Counter[str]:
    """Deliver what is due, for about `seconds`, then wait for what is still in flight. Return attempts by verdict."""
    forwarder = Forwarder(workshop, resolve)
    return forwarder.run(seconds) + forwarder.finish()
