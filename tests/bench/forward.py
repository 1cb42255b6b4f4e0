"""Forwarding: deliveries a second of one process, beside a bare loop of `requests.Session.post` with the same signing.

Whatever is compared is measured in rounds that alternate, on the same machine, and told as medians.
"""

import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import requests
from psycopg.types.json import Jsonb
from rich.table import Table
from standardwebhooks import Webhook
from uuid_utils.compat import uuid7

from deploy.embedded.postgres import start_postgres
from deploy.migrations import apply_migrations
from schemas.alert import Alert
from schemas.configuration import Configuration, Sealing
from schemas.forwarded import forward_body
from schemas.forwarding import Forwarding
from schemas.keyring import Keyring
from schemas.secret import Secret
from schemas.sources import Source
from schemas.subscription import Credentials, generate_secret, seal_credentials
from workers.connections import Database, connect_database
from workers.delivery.forward import Forwarder
from workers.delivery.lease import lease_due
from workers.logs import configure_logs
from workers.settings import Workshop

ROUNDS = 5
DELIVERIES = 3000
SUBSCRIPTIONS = 100
HANGING = 10
EACH = 40
FORWARD_SECONDS = 5.0  # as the workers' ticks
LEASED = 16
LEASES = 400
SECRET = generate_secret()
FACTS = {
    "issuer": "EXAMPLE BANK", "card_bin": "555555", "card_last4": "4444", "amount": "125.40", "currency": "USD",
    "transaction_at": "2026-11-20T17:11:05.000Z", "arn": "75186056123456789012345", "merchant_id": "M1",
    "merchant_descriptor": "EXAMPLE*SHOP", "mcc": "5999", "type": "customerdispute_alert",
}  # fmt: skip
ALERT = Alert(
    str(uuid7()), "ethoca", "A1", "ethoca", "customer_dispute", "open", "2026-11-20T17:11:05.000Z", facts=FACTS
)


@dataclass(frozen=True, slots=True)
class Measured:
    """The medians. Rates are deliveries a second, `leases` milliseconds of a lease by how many items are due."""

    bare: float
    forwarded: float
    to_bare: float
    beside_hanging: float
    leases: dict[int, float]


class Delivered(Exception):
    """Everything that can be delivered has been."""


class Counting(Forwarder):
    """A forwarder that ends when so many deliveries are recorded."""

    def __init__(self, workshop: Workshop, total: int) -> None:
        super().__init__(workshop)
        self.missing = total

    def record_finished(self, database: Database) -> Counter[str]:
        """Record and count. Raises Delivered."""
        verdicts = super().record_finished(database)
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
            database.execute(MAKE_EVENTS, [Jsonb(ALERT.to_row()), each])
            database.execute(MAKE_DUE, [path + "%"])
            database.commit()
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

    def post(self) -> float:
        """Sign and post as many bodies in a bare loop, and return how many a second."""
        body = forward_body(ALERT, "alert.created", "2026-11-20T18:00:01.000Z")
        signer, text = Webhook(SECRET), body.decode()
        began = time.perf_counter()
        with requests.Session() as session:
            session.trust_env = False
            for _ in range(DELIVERIES):
                webhook_id, moment = str(uuid7()), datetime.now(UTC)
                headers = {
                    "Content-Type": "application/json",
                    "webhook-id": webhook_id,
                    "webhook-timestamp": str(int(moment.timestamp())),
                    "webhook-signature": signer.sign(webhook_id, moment, text),
                }
                session.post(f"{self.receiver}/take", data=body, headers=headers, timeout=10).raise_for_status()
        return DELIVERIES / (time.perf_counter() - began)

    def time_leases(self, leases: int) -> list[float]:
        """Return the milliseconds of so many leases, each put back after it."""
        times = []
        with connect_database(self.workshop.database_url, "bench") as database:
            for _ in range(leases):
                began = time.perf_counter()
                items = lease_due(database, LEASED, self.workshop.configuration.forwarding)
                times.append((time.perf_counter() - began) * 1000)
                ids = [item.outbox_id for item in items]
                database.execute(
                    "UPDATE outbox SET due_at = created_at, lease = NULL WHERE id = ANY(%s::uuid[])", [ids]
                )
        return times

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


def measure_forwarding() -> Measured:
    """Measure everything."""
    log_to_nowhere()
    bare: list[float] = []
    forwarded: list[float] = []
    alone: list[float] = []
    beside: list[float] = []
    with open_site() as site:
        for _ in range(ROUNDS):
            bare.append(site.post())
            site.clear()
            site.fill(1, DELIVERIES)
            forwarded.append(site.deliver(60))
            for rates, hanging in ((alone, 0), (beside, HANGING)):
                site.clear()
                site.fill(SUBSCRIPTIONS - HANGING, EACH)
                if hanging:
                    site.fill(hanging, EACH, "hang")
                rates.append(site.deliver(60))
        site.clear()
        times: dict[int, list[float]] = {1_000: [], 100_000: []}
        sites = {due: site.beside(f"due_{due}") for due in times}
        for due, other in sites.items():
            other.fill(SUBSCRIPTIONS, due // SUBSCRIPTIONS)
        for _ in range(LEASES // 20):
            for due, other in sites.items():
                times[due] += other.time_leases(20)
    return Measured(
        statistics.median(bare),
        statistics.median(forwarded),
        statistics.median(f / b for f, b in zip(forwarded, bare, strict=True)),
        statistics.median(b / a for b, a in zip(beside, alone, strict=True)),
        {due: statistics.median(taken) for due, taken in times.items()},
    )


def log_to_nowhere() -> None:
    """Make every log line as the workers do, and write it to nowhere."""
    configure_logs()
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(Path(os.devnull).open("w"))  # noqa: SIM115 - for as long as the process lasts


def forwarding_table(measured: Measured) -> Table:
    """Return what was measured, with its goals."""
    table = Table(title="forwarding, one process, a receiver that answers at once")
    for column in ("what", "measured", "goal"):
        table.add_column(column, justify="left" if column == "what" else "right")
    few, many = measured.leases.values()
    rows = [
        ("bare loop of requests.Session.post, signed", f"{measured.bare:.0f}/s", ""),
        ("deliveries", f"{measured.forwarded:.0f}/s", ""),
        ("deliveries to bare loop", f"{measured.to_bare:.2f}", "≥ 0.8"),
        (
            f"rate of 90 subscriptions beside {HANGING} that hang, to that without",
            f"{measured.beside_hanging:.2f}",
            "≥ 0.9",
        ),
        ("lease at 1,000 due", f"{few:.2f} ms", ""),
        ("lease at 100,000 due, to that at 1,000", f"{many / few:.2f}", "≤ 1.2"),
    ]
    for row in rows:
        table.add_row(*row)
    return table


MAKE_EVENTS = """
    INSERT INTO events (id, type, alert_id, revision, alert)
    SELECT gen_random_uuid(), 'alert.created', gen_random_uuid(), 1, %s FROM generate_series(1, %s)
"""
MAKE_DUE = """
    INSERT INTO outbox (id, event_id, subscription_id, alert_id)
    SELECT gen_random_uuid(), e.id, s.id, e.alert_id FROM events e, subscriptions s
    WHERE s.name LIKE %s AND NOT EXISTS (SELECT FROM outbox o WHERE o.event_id = e.id)
"""
COUNT_DUE = """
    SELECT count(*) FROM outbox o JOIN subscriptions s ON s.id = o.subscription_id WHERE s.name NOT LIKE 'hang%'
"""

if __name__ == "__main__":
    from rich.console import Console

    Console().print(forwarding_table(measure_forwarding()))
