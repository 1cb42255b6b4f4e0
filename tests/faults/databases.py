"""Faults of PostgreSQL: the door goes on acknowledging, and what it acknowledged waits in the journal."""

import contextlib
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg.errors import DeadlockDetected

from tests.e2e.bodies import dispute, fresh_id
from tests.e2e.processes import descendants
from tests.e2e.sender import Sender
from tests.faults.journals import stopped
from tests.faults.site import WAIT_SECONDS, Site, send_signal
from tests.faults.trial import Fault
from tests.programs import require_program

AWAY_SECONDS = 30.0
FROZEN_SECONDS = 10.0
FULL_SECONDS = 8.0
FAILING_SECONDS = 4.0


def kill_postgres(site: Site) -> None:
    """Kill the postmaster; the supervisor starts it again, and it recovers from its log."""
    before = site.engine("DATABASE_URL")
    send_signal([before], signal.SIGKILL)
    site.wait_for_successor("DATABASE_URL", before)


def kill_backend(site: Site) -> None:
    """Kill one backend of a drain: PostgreSQL ends all the others too, and recovers."""
    victims = "SELECT pid FROM pg_stat_activity WHERE application_name = 'alert-intake drain'"
    site.seconds_until(lambda: site.query(victims), WAIT_SECONDS, "a drain is connected")
    send_signal([pid for (pid,) in site.query(victims)][:1], signal.SIGKILL)


def stop_postgres(site: Site) -> None:
    """Stop it for half a minute, as for a restart of its machine. The supervisor is held so long."""
    with stopped([site.supervisor]):
        send_signal([site.engine("DATABASE_URL")], signal.SIGINT)
        time.sleep(AWAY_SECONDS)


def freeze_postgres(site: Site) -> None:
    """Stop all its processes for a while: connections stay open, and nothing answers."""
    postmaster = site.engine("DATABASE_URL")
    with stopped([postmaster, *descendants(postmaster)]):
        time.sleep(FROZEN_SECONDS)


def exhaust_connections(site: Site) -> None:
    """Take every connection there is, those of the workers among them, and keep them for a while."""
    with contextlib.ExitStack() as connections:

        def take_all() -> None:
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    connections.enter_context(site.database())

        first = connections.enter_context(site.database())
        take_all()
        first.execute(TERMINATE_OURS)
        deadline = time.monotonic() + FROZEN_SECONDS
        while time.monotonic() < deadline:  # those that the workers gave up, or took while we looked away
            take_all()
            first.execute(TERMINATE_OURS)
            time.sleep(0.2)


def fill_disk(site: Site) -> None:
    """Let none of its processes write beyond the first MiB of any file: tables do not grow, the log cannot be written.

    Linux's limit on the size of files. PostgreSQL may well panic of it, recover, and be started again.
    """
    postmaster = site.engine("DATABASE_URL")
    limit_files([postmaster, *descendants(postmaster)], str(1 << 20))
    assert file_limit(postmaster) == str(1 << 20)
    time.sleep(FULL_SECONDS)
    limit_files([postmaster, *descendants(postmaster)], "unlimited")


def file_limit(pid: int) -> str:
    """Return how large a file the process may write."""
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line for line in limits if line.startswith("Max file size")).split()[3]


def limit_files(pids: list[int], size: str) -> None:
    """Limit the size of the files that processes write, in bytes. Done as their own user, who needs no rights to it."""
    program = require_program("prlimit", "util-linux")
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            owner = Path(f"/proc/{pid}").stat()
            root = os.geteuid() == 0
            subprocess.run(
                [program, f"--fsize={size}:unlimited", f"--pid={pid}"],
                user=owner.st_uid if root else None,
                group=owner.st_gid if root else None,
                extra_groups=[] if root else None,
                check=False,
                capture_output=True,
                cwd="/",
            )


def fail_statements(site: Site) -> None:
    """Have every insert of a receipt fail for a while as it does on a full disk."""
    with failing(site, "53100", "receipts"):
        time.sleep(FAILING_SECONDS)


def break_serializations(site: Site) -> None:
    """Have every other batch fail as a transaction does that could not be serialized."""
    with site.database() as database:
        database.execute("CREATE SEQUENCE IF NOT EXISTS fault_turns")
    with failing(site, "40001", "receipts", "nextval('fault_turns') % 2 = 0"):
        time.sleep(FAILING_SECONDS)


@contextlib.contextmanager
def failing(site: Site, sqlstate: str, table: str, condition: str = "true") -> Iterator[None]:
    """Have inserts into a table fail."""
    with site.database() as database:
        database.execute(
            f"""
            CREATE OR REPLACE FUNCTION fault_fail() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF {condition} THEN RAISE EXCEPTION 'a fault' USING ERRCODE = '{sqlstate}'; END IF;
                RETURN NULL;
            END;
            $$""".encode()
        )
        trigger = f"CREATE TRIGGER fault_fail BEFORE INSERT ON {table} EXECUTE FUNCTION fault_fail()"
        database.execute(trigger.encode())
        try:
            yield
        finally:
            database.execute(f"DROP TRIGGER fault_fail ON {table}".encode())


def deadlock_batch(site: Site) -> None:
    """Lock two alerts in the order opposite to the drain's: PostgreSQL breaks off the drain's batch."""
    first, second = sorted([fresh_id(), fresh_id()])
    with contextlib.closing(Sender(site.run)) as sender:
        sender.push([dispute(first), dispute(second)])
        stored = "SELECT count(*) FROM identities WHERE provider_alert_id = ANY(%s)"
        site.seconds_until(
            lambda: site.query(stored, [first, second]) == [(2,)], WAIT_SECONDS, "both alerts are stored"
        )
        before = deadlocks(site)
        while not lock_against_drain(site, sender, first, second):
            before = deadlocks(site)
        site.seconds_until(lambda: deadlocks(site) > before, WAIT_SECONDS, "PostgreSQL counts a deadlock")


def lock_against_drain(site: Site, sender: Sender, first: str, second: str) -> bool:
    """Lock one alert, let the drain wait for it, then the other. Say whether it is not we who were broken off.

    It is whoever looks for a deadlock last: we, when the drain had waited for more than a second already.
    """
    try:
        with site.database() as database, database.transaction():
            database.execute(LOCK_IDENTITY, [second])
            changed = f"{secrets.randbelow(10_000):04}"  # else they would be duplicates, which change nothing
            sender.push([dispute(first, mcc=changed), dispute(second, mcc=changed)])
            waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE '%%drain'"
            site.seconds_until(lambda: site.query(waits), WAIT_SECONDS, "the drain waits for the second")
            database.execute(LOCK_IDENTITY, [first])
    except DeadlockDetected:
        return False
    return True


def deadlocks(site: Site) -> int:
    """Return how many deadlocks PostgreSQL has counted."""
    [(count,)] = site.query("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return int(count)


def migrate_tables(site: Site) -> None:
    """Change the tables under the drains: a new column, an index, and three seconds in which nobody else gets in."""
    with site.database() as database:
        with database.transaction():
            database.execute("ALTER TABLE alerts ADD COLUMN fault_probe integer NOT NULL DEFAULT 1")
            database.execute("ALTER TABLE outbox ADD COLUMN fault_probe integer NOT NULL DEFAULT 1")
            database.execute("CREATE INDEX fault_probe ON alerts (fault_probe, id)")
            time.sleep(3)
        time.sleep(1)
        with database.transaction():
            database.execute("ALTER TABLE alerts DROP COLUMN fault_probe")
            database.execute("ALTER TABLE outbox DROP COLUMN fault_probe")


TERMINATE_OURS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'alert-intake %'"
LOCK_IDENTITY = "SELECT FROM identities WHERE provider_alert_id = %s FOR UPDATE"

KILLED = Fault("PostgreSQL kill -9", kill_postgres, steady=True)
POSTGRES = [
    KILLED,
    Fault("PostgreSQL kill -9 of a backend", kill_backend, steady=True),
    Fault("PostgreSQL stopped 30 s", stop_postgres, steady=True),
    Fault("PostgreSQL frozen 10 s", freeze_postgres, steady=True),
    Fault("PostgreSQL without free connections", exhaust_connections, steady=True),
    Fault("PostgreSQL on a full disk (RLIMIT_FSIZE)", fill_disk, steady=True),
    Fault("PostgreSQL failing every insert", fail_statements, steady=True),
    Fault("a serialization failure in the batch", break_serializations, steady=True),
    Fault("a deadlock in the batch", deadlock_batch, steady=True),
    Fault("tables changed while alerts flow", migrate_tables, steady=True),
]
