"""A database and a receiver to forward between."""

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from deploy.embedded.postgres import start_postgres
from deploy.migrations import apply_migrations
from schemas.downstream.subscription import Credentials, seal_credentials
from schemas.keyring import Keyring
from schemas.settings.configuration import Configuration, Sealing
from schemas.settings.forwarding import Forwarding
from schemas.settings.secret import Secret
from schemas.settings.sources import Source
from tests.bench.forwarding_bare import ALERT, SECRET
from workers.database.connections import Database
from workers.delivery.forward import Forwarder
from workers.delivery.lease import lease_due
from workers.delivery.line import Line
from workers.settings import Workshop

FORWARD_SECONDS = 5.0  # as the workers' ticks
LEASED = 16
WARMING = 8  # leases of a new connection, in which it plans


class Delivered(Exception):
    """Everything that can be delivered has been."""


class Counting(Forwarder):
    """A forwarder that ends when so many deliveries are recorded."""

    def __init__(self, workshop: Workshop, total: int) -> None:
        super().__init__(workshop)
        self.missing = total

    def take_turn(self, database: Database) -> Counter[str]:
        """Take a turn and count. Raises Delivered."""
        verdicts = super().take_turn(database)
        self.missing -= verdicts["done"]
        if self.missing <= 0:
            raise Delivered
        return verdicts


@dataclass(frozen=True, slots=True)
class Site:
    """A workshop between a database of its own and a receiver."""

    workshop: Workshop
    receiver: str

    def fill(self, subscriptions: int, each: int, path: str = "take") -> None:
        """Add subscriptions, and alerts that are due to each of them."""
        with psycopg.connect(self.workshop.database_url) as database:
            for number in range(subscriptions):
                own_id = str(uuid7())
                sealed = seal_credentials(Credentials(secret=SECRET), own_id, self.workshop.keyring)
                database.execute(
                    "INSERT INTO subscriptions (id, name, url, sealed) VALUES (%s, %s, %s, %s)",
                    [own_id, f"{path} {number}", f"{self.receiver}/{path}", sealed],
                )
            database.execute(TIMED_ID)
            database.execute(MAKE_EVENTS, [Jsonb(ALERT.to_row()), each])
            database.execute(MAKE_DUE, [path + "%"])
            database.commit()
        with psycopg.connect(self.workshop.database_url, autocommit=True) as database:
            database.execute("VACUUM ANALYZE")

    def block(self, alerts: int) -> None:
        """Postpone so many alerts to each subscription, and put another event of each before all else that is due.

        Then lease until these have been read over, and clear away what that leaves, as is done by itself in a minute.
        """
        with psycopg.connect(self.workshop.database_url) as database:
            database.execute(POSTPONE, [alerts])
            database.execute(MAKE_BLOCKED)
            database.commit()
            while database.execute(BLOCKED_ARE_DUE).fetchone() is not None:
                database.rollback()
                self.time_leases(1)
        with psycopg.connect(self.workshop.database_url, autocommit=True) as database:
            database.execute("VACUUM ANALYZE")

    def clear(self) -> None:
        """Remove everything."""
        with psycopg.connect(self.workshop.database_url, autocommit=True) as database:
            database.execute("TRUNCATE attempts, outbox, events, subscriptions")

    def deliver(self, seconds: float) -> float:
        """Run one forwarder until what can be delivered is, and return the deliveries a second."""
        with psycopg.connect(self.workshop.database_url, autocommit=True) as database:
            (total,) = database.execute(COUNT_DUE).fetchone() or (0,)
        forwarder = Counting(self.workshop, total)
        began = time.perf_counter()
        try:
            while time.perf_counter() - began < seconds:
                forwarder.run(FORWARD_SECONDS)
        except Delivered:
            return float(total / (time.perf_counter() - began))
        raise RuntimeError(f"not all of {total} were delivered in {seconds:g} seconds")

    def time_leases(self, leases: int) -> list[float]:
        """Return the milliseconds of so many leases on a forwarder's connection, each put back after it."""
        times = []
        line = Line(self.workshop.database_url)
        database = line.open()
        for _ in range(leases):
            began = time.perf_counter()
            items = lease_due(database, LEASED, self.workshop.configuration.forwarding)
            times.append((time.perf_counter() - began) * 1000)
            ids = [item.outbox_id for item in items]
            database.execute("UPDATE outbox SET due_at = created_at, lease = NULL WHERE id = ANY(%s::uuid[])", [ids])
        line.close()
        return times[WARMING:]

    def beside(self, name: str) -> "Site":
        """Return a site with another database of the same server."""
        server = self.workshop.database_url.rpartition("/")[0]
        with psycopg.connect(self.workshop.database_url, autocommit=True) as database:
            database.execute(f"CREATE DATABASE {name}".encode())
        apply_migrations(f"{server}/{name}")
        return Site(make_workshop(f"{server}/{name}"), self.receiver)


@contextmanager
def open_site() -> Iterator[Site]:
    """Run a database and a receiver of the benchmark's own."""
    with tempfile.TemporaryDirectory(prefix="alert-intake-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        command = [sys.executable, "-m", "tests.bench.receiver"]
        receiver = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert receiver.stdout is not None
            port = int(receiver.stdout.readline())
            with start_postgres(folder / "postgres", folder / "postgres.log") as server:
                apply_migrations(server.url)
                yield Site(make_workshop(server.url), f"http://127.0.0.1:{port}")
        finally:
            receiver.communicate()


def make_workshop(database_url: str) -> Workshop:
    """Return the settings of a workshop that forwards to this machine and does nothing else."""
    keys = Secret(env="UNUSED")
    source = Source(name="bench", format="ethoca", subjects=("CN=bench",))
    configuration = Configuration(
        sources=(source,),
        sealing=Sealing(keys=keys, matching=keys),
        forwarding=Forwarding(allow_http=True, allow_private_addresses=True, schedule=(3600,)),
    )
    return Workshop(configuration, Keyring([os.urandom(32)], os.urandom(32)), "", "", database_url)


# Ids in the order of time, as the drain's own: the moment, and then a number instead of chance.
TIMED_ID = """
    CREATE FUNCTION pg_temp.timed_id(number bigint) RETURNS uuid LANGUAGE sql STABLE AS $$
        SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0')
                || '-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid
    $$
"""
MAKE_EVENTS = """
    INSERT INTO events (id, type, alert_id, revision, alert)
    SELECT pg_temp.timed_id(n), 'alert.created', pg_temp.timed_id(n), 1, %s FROM generate_series(1, %s) n
"""
MAKE_DUE = """
    INSERT INTO outbox (id, event_id, subscription_id, alert_id)
    SELECT pg_temp.timed_id(row_number() OVER (ORDER BY e.id, s.id)), e.id, s.id, e.alert_id
    FROM events e, subscriptions s
    WHERE s.name LIKE %s AND NOT EXISTS (SELECT FROM outbox o WHERE o.event_id = e.id)
    ORDER BY e.id, s.id
"""
POSTPONE = """
    UPDATE outbox SET attempts = 1, due_at = now() + interval '1 hour'
    WHERE event_id IN (SELECT id FROM events ORDER BY id LIMIT %s)
"""
MAKE_BLOCKED = """
    INSERT INTO outbox (id, event_id, subscription_id, alert_id, due_at, created_at)
    SELECT gen_random_uuid(), event_id, subscription_id, alert_id, now() - interval '1 hour', now() - interval '1 hour'
    FROM outbox WHERE attempts = 1
"""
BLOCKED_ARE_DUE = """
    SELECT FROM outbox o JOIN outbox earlier USING (subscription_id, alert_id)
    WHERE o.due_at <= now() AND earlier.position < o.position LIMIT 1
"""
COUNT_DUE = """
    SELECT count(*) FROM outbox o JOIN subscriptions s ON s.id = o.subscription_id WHERE s.name NOT LIKE 'hang%'
"""
