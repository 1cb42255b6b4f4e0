"""Against one Celery task per alert: the door, and the whole way from the first push to the last row stored.

The other pipeline (tests/bench/celery_per_alert) has the same gunicorn, TLS and number of processes, a broker with the
journal's own fsync settings, and a database of the same PostgreSQL. Its workers are as many as ours.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import redis

from deploy.embedded.engine import Server
from deploy.embedded.postgres import start_postgres
from deploy.embedded.valkey import BROKER, JOURNAL, start_valkey
from deploy.migrations import apply_migrations
from tests.bench.load import push_together
from tests.bench.report import Report, ratios, spread
from tests.bench.servers import PLAIN_WORKER, Bench, open_bench
from tests.gunicorn import ROOT, Process

ROUNDS = 5
SECONDS = 3.0
SENDERS = 2
CONNECTIONS = 16
PUSHES = 5000  # of a whole way
WARMED_BY = 500  # before the first of them: workers take seconds to start
WORKERS = 2
PATIENCE = 300.0
THEIR_APP = "tests.bench.celery_per_alert.tasks:app"
WORKER = ("-P", "prefork", "-c", str(WORKERS), "--without-gossip", "--without-mingle", "--loglevel", "WARNING")


@dataclass
class Measured:
    """One pipeline, round by round: acknowledgements a second of its door, and stored alerts a second of the whole."""

    server: Process
    count: str
    database_url: str
    door: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)

    def stored(self, database: psycopg.Connection) -> int:
        """Return how many alerts are stored."""
        (number,) = database.execute(self.count.encode()).fetchone() or (0,)
        return int(number)


def measure_per_alert(tell: Callable[[str], object]) -> list[Report]:
    """Measure, and return the table."""
    with open_bench() as bench, open_servers(bench) as (broker, their_broker, ours, theirs):
        environment = bench.environment | {"BROKER_URL": broker.url, "DATABASE_URL": ours}
        their_environment = bench.environment | {"PER_ALERT_BROKER": their_broker.url, "DATABASE_URL": theirs}
        with (
            bench.serve("door", "ingress.app:create_app()") as door,
            bench.serve(
                "per_alert",
                "tests.bench.celery_per_alert.app:create_app()",
                **PLAIN_WORKER,
                PER_ALERT_BROKER=their_broker.url,
            ) as per_alert,
        ):
            pipelines = {
                "alert-intake": Measured(door, "SELECT count(*) FROM alerts", ours),
                "a task per alert": Measured(per_alert, "SELECT count(*) FROM per_alert", theirs),
            }
            for number in range(ROUNDS):
                for name, pipeline in pipelines.items():
                    tell(f"per alert: door of {name}, round {number + 1} of {ROUNDS}")
                    pushed = push_together(bench.plan(pipeline.server, CONNECTIONS, SECONDS), SENDERS)
                    pipeline.door.append(pushed.rate)
                    empty(bench.journal, their_broker)
            with (
                run_worker(environment, "workers.app", "drain", bench.folder),
                run_worker(their_environment, THEIR_APP, "celery", bench.folder),
            ):
                for pipeline in pipelines.values():
                    measure_whole(bench, pipeline, WARMED_BY)
                for number in range(ROUNDS):
                    for name, pipeline in pipelines.items():
                        tell(f"per alert: whole way of {name}, round {number + 1} of {ROUNDS}")
                        pipeline.whole.append(measure_whole(bench, pipeline))
    return [describe(pipelines)]


def measure_whole(bench: Bench, pipeline: Measured, pushes: int = PUSHES) -> float:
    """Push so many alerts and return how many a second were stored, from the first push to the last row."""
    plan = bench.plan(pipeline.server, CONNECTIONS, SECONDS, pushes=pushes // SENDERS)
    with psycopg.connect(pipeline.database_url, autocommit=True) as database:
        before = pipeline.stored(database)
        pushed = push_together(plan, SENDERS)
        while (stored := pipeline.stored(database) - before) < pushes:
            if time.perf_counter() - pushed.began > PATIENCE:
                raise RuntimeError(f"only {stored} of {pushes} were stored in {PATIENCE:.0f} seconds")
            time.sleep(0.01)
        return pushes / (time.perf_counter() - pushed.began)


@contextmanager
def open_servers(bench: Bench) -> Iterator[tuple[Server, Server, str, str]]:
    """Run what both need: our broker, theirs, and a database for each."""
    folder = bench.folder
    with (
        start_valkey(folder / "broker", folder / "broker.log", BROKER) as broker,
        start_valkey(folder / "their_broker", folder / "their_broker.log", JOURNAL) as their_broker,
        start_postgres(folder / "postgres", folder / "postgres.log") as postgres,
    ):
        apply_migrations(postgres.url)
        theirs = postgres.url.rpartition("/")[0] + "/per_alert"
        with psycopg.connect(postgres.url, autocommit=True) as database:
            database.execute("CREATE DATABASE per_alert")
        with psycopg.connect(theirs, autocommit=True) as database:
            database.execute("CREATE TABLE per_alert (alert_id text PRIMARY KEY, alert jsonb NOT NULL)")
        yield broker, their_broker, postgres.url, theirs


@contextmanager
def run_worker(environment: dict[str, str], app: str, queue: str, folder: Path) -> Iterator[None]:
    """Run a Celery worker, with a log in the folder."""
    command = [sys.executable, "-m", "celery", "-A", app, "worker", "-Q", queue, "-n", f"{queue}@bench", *WORKER]
    log = folder / f"{queue}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        yield
    except RuntimeError as error:
        error.add_note(log.read_text(errors="replace")[-2000:])
        raise
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()
        process.wait()


def empty(*servers: Server) -> None:
    """Delete what lies in Redis."""
    for server in servers:
        with redis.Redis.from_url(server.url, protocol=2) as client:
            client.flushall()


def describe(pipelines: dict[str, Measured]) -> Report:
    """Return the table."""
    ours, theirs = pipelines.values()
    report = Report(
        f"against a Celery task per alert, {WORKERS} workers, {PUSHES} alerts",
        ("what", *pipelines, "ratio", "goal"),
    )
    for what, goal, mine, other in (
        ("door, acknowledgements/s", "≥ 3", ours.door, theirs.door),
        ("first push to last row, alerts/s", "≥ 8", ours.whole, theirs.whole),
    ):
        report.add(what, spread(mine, ".0f"), spread(other, ".0f"), spread(ratios(mine, other), ".1f"), goal)
    return report
