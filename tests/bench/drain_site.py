"""Where drains are measured: a journal that fsyncs, a database, a backlog of distinct alerts, and worker processes."""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import psycopg
import redis

from deploy.embedded.engine import Server
from deploy.embedded.postgres import start_postgres
from deploy.embedded.valkey import JOURNAL, start_valkey
from deploy.migrations import apply_migrations
from schemas.journal.envelope import Envelope, seal_envelope
from schemas.keyring import Keyring
from schemas.settings.configuration import Configuration, Sealing
from schemas.settings.journal import Journal
from schemas.settings.secret import Secret
from schemas.settings.sources import Source
from tests.e2e.processes import descendants
from workers.settings import Workshop

Kind = Literal["drain", "bare"]

PAGE = 1000  # entries appended in one round trip
TABLES = (
    "alerts, identities, transactions, receipts, endings, raw_bodies, revisions, rejections, events, outbox, totals"
)


@dataclass(frozen=True, slots=True)
class Run:
    """What one worker process told of draining, and the processor time that it cost with the servers behind it.

    seconds   from its first batch to its last
    stations  seconds spent in each station
    resident  bytes of memory after each batch
    cpu       seconds of the worker alone
    servers   seconds of PostgreSQL and the journal, for all workers that ran together
    """

    entries: int
    began: float
    ended: float
    stations: dict[str, float]
    resident: list[int]
    cpu: float
    servers: float = 0.0


@dataclass(frozen=True, slots=True)
class Site:
    """A journal and a database of it."""

    journal: Server
    postgres: Server
    workshop: Workshop

    def fill(self, entries: int) -> float:
        """Append so many distinct alerts, and return the bytes that each takes in Redis. They need not be fsynced."""
        stream = self.workshop.configuration.journal.stream
        with redis.Redis.from_url(self.journal.url, protocol=2) as client:
            client.config_set("appendfsync", "no")
            client.config_set("maxmemory", 0)
            before = int(client.info("memory")["used_memory"])
            run = random.randbytes(4).hex()
            for first in range(0, entries, PAGE):
                pipeline = client.pipeline(transaction=False)
                for number in range(first, min(first + PAGE, entries)):
                    envelope = Envelope("ethoca", make_body(run, number))
                    pipeline.xadd(stream, cast("Any", seal_envelope(envelope, self.workshop.keyring)))
                pipeline.execute()
            bytes_each = (int(client.info("memory")["used_memory"]) - before) / entries
            client.config_set("appendfsync", "always")
        return bytes_each

    def drain(self, kind: Kind, workers: int = 1) -> list[Run]:
        """Empty the journal with so many processes that begin together. Return what each did."""
        command = [sys.executable, "-m", "tests.bench.drain_worker", kind]
        settings = {
            "BENCH_STREAM": self.workshop.configuration.journal.stream,
            "BENCH_JOURNAL": self.workshop.journal_url,
            "BENCH_DATABASE": self.workshop.database_url,
        }
        processes = [
            subprocess.Popen(
                [*command, f"bench/{number}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | settings,
                text=True,
            )
            for number in range(workers)
        ]
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()  # it is ready
        before = self.servers_seconds()
        answers = []
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            answers.append(process.communicate()[0])
            if process.returncode:
                raise RuntimeError(f"a worker ended with {process.returncode}")
        servers = self.servers_seconds() - before
        return [Run(**json.loads(answer), servers=servers) for answer in answers]

    def servers_seconds(self) -> float:
        """Return the processor time that the servers have used so far."""
        return cpu_seconds(self.postgres.process.pid) + cpu_seconds(self.journal.process.pid)

    def empty(self) -> None:
        """Remove everything that was stored."""
        with psycopg.connect(self.workshop.database_url, autocommit=True) as database:
            database.execute(f"TRUNCATE {TABLES} CASCADE".encode())
            database.execute("CHECKPOINT")

    def beside(self, name: str) -> "Site":
        """Return a site with another database and another stream on the same servers."""
        server = self.workshop.database_url.rpartition("/")[0]
        with psycopg.connect(self.workshop.database_url, autocommit=True) as database:
            database.execute(f"CREATE DATABASE {name}".encode())
        apply_migrations(f"{server}/{name}")
        return Site(self.journal, self.postgres, make_workshop(self.journal.url, f"{server}/{name}", f"bench:{name}"))


def cpu_seconds(process: int) -> float:
    """Return the processor time, user and system, of a process and of all its children, those that have ended too.

    PostgreSQL has a child for each connection, which ends with it.
    """
    ticks = 0
    for one in [process, *descendants(process)]:
        with suppress(FileNotFoundError):  # it has just ended, and been added to its parent's
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def make_body(run: str, number: int) -> bytes:
    """Return the body of one alert, different from all others as real ones are, of about 650 bytes."""
    minute = number % 1440
    body = {
        "alertId": f"B{run}{number:016d}",
        "alertType": "CUSTOMERDISPUTE" if number % 2 else "CONFIRMEDFRAUD",
        "alertTimestamp": f"2026-11-20T{minute // 60:02d}:{minute % 60:02d}:05.000Z",
        "issuer": "EXAMPLE BANK",
        "cardBin": "555555",
        "cardLast4": f"{number % 10000:04d}",
        "arn": f"75{int(run, 16):010d}{number:011d}",
        "transactionTimestamp": f"2026-11-19T{minute // 60:02d}:{minute % 60:02d}:00-05:00",
        "merchantDescriptor": f"EXAMPLE*STORE {number % 977}",
        "memberId": 4567,
        "mcc": "5732",
        "amount": {"value": number % 50000 / 100, "currencyCode": "USD"},
        "transactionType": "eCommerce",
        "initiatedBy": "cardholder",
        "is3DSecure": "no",
        "authCode": f"{number % 1000000:06d}",
        "transactionId": f"MCC{number:010d}",
        "chargebackReasonCode": "4853",
    }
    return json.dumps(body).encode()


def make_workshop(journal_url: str, database_url: str, stream: str) -> Workshop:
    """Return the settings of a workshop that only drains. The keys are the same in every process."""
    source = Source(name="ethoca", format="ethoca", subjects=("CN=bench",), network="ethoca")
    keys = Secret(env="UNUSED")
    configuration = Configuration(
        sources=(source,), sealing=Sealing(keys=keys, matching=keys), journal=Journal(stream=stream)
    )
    return Workshop(configuration, Keyring([b"s" * 32], b"m" * 32), journal_url, "", database_url)


def rate_of(runs: Sequence[Run]) -> float:
    """Return the alerts a second of processes that ran together."""
    return sum(run.entries for run in runs) / (max(run.ended for run in runs) - min(run.began for run in runs))


def cost_of(runs: Sequence[Run]) -> float:
    """Return the µs of processor time that one alert cost, of workers and servers together."""
    return (sum(run.cpu for run in runs) + runs[0].servers) / sum(run.entries for run in runs) * 1e6


@contextmanager
def open_site() -> Iterator[Site]:
    """Run a journal and a database of the benchmark's own."""
    with tempfile.TemporaryDirectory(prefix="alert-intake-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with (
            start_valkey(folder / "journal", folder / "journal.log", JOURNAL) as journal,
            start_postgres(folder / "postgres", folder / "postgres.log") as postgres,
        ):
            apply_migrations(postgres.url)
            yield Site(journal, postgres, make_workshop(journal.url, postgres.url, "bench:first"))
