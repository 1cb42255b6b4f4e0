"""Where the faults happen: a running stack, its processes, and the servers as an operator reaches them."""

import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psycopg
import redis
from psycopg.rows import TupleRow

from tests.e2e.processes import command_line, descendants
from tests.e2e.running import Stack, wait_until
from tests.faults.broker import Broker

STREAM = "alert-intake:journal"
GROUP = "drain"
DRAIN = "-Q drain"
FORWARD = "-Q forward"
BEAT = "workers.app beat"
DOOR = "ingress.app"
PLATFORM = "ingress.health"
CONSOLE = "console.app"
# What only has to happen some time: on a machine that is ever so busy it takes a while.
WAIT_SECONDS = 180.0
TASK_SECONDS = 5.0  # how long a drain or a forwarder works before it ends


@dataclass(slots=True)
class Site:
    """One stack that `alert-intake up` runs, with a broker of the test's own."""

    stack: Stack
    broker: Broker

    @property
    def run(self) -> dict[str, str]:
        """What run.env says."""
        return self.stack.facts

    @property
    def supervisor(self) -> int:
        """The process that starts again what ends."""
        return int(self.run["RUN_PID"])

    def journal(self, patience: float = 5.0) -> redis.Redis:
        """Return a client of the journal that waits so many seconds for an answer."""
        return redis.Redis.from_url(self.run["JOURNAL_URL"], socket_timeout=patience, protocol=2)

    def database(self) -> psycopg.Connection[TupleRow]:
        """Return a connection to the database, each statement a transaction."""
        return psycopg.connect(self.run["DATABASE_URL"], autocommit=True, connect_timeout=5, application_name="faults")

    def query(self, statement: str, *values: object) -> list[TupleRow]:
        """Ask the database."""
        with self.database() as database:
            return database.execute(statement.encode(), values).fetchall()

    def pids(self, command: str, *, leaves: bool = False) -> list[int]:
        """Return the processes of the stack with this in their command; `leaves`: only those without children."""
        return descendants(self.supervisor, command, leaves=leaves)

    def masters(self, command: str) -> list[int]:
        """Return those of them that are started by the supervisor itself."""
        return [pid for pid in self.pids(command) if parent_of(pid) == self.supervisor]

    def engine(self, address: str) -> int:
        """Return the process of an engine of the stack, 0 when there is none: of JOURNAL_URL or DATABASE_URL."""
        port = str(urlsplit(self.run[address]).port)
        name = {"JOURNAL_URL": f"127.0.0.1:{port}", "DATABASE_URL": f"port={port}"}[address]
        return next((pid for pid in self.masters(name) if "child.py" not in command_line(pid)), 0)

    def wait_for_successor(self, address: str, before: int) -> None:
        """Wait until an engine has been started again."""
        self.seconds_until(lambda: self.engine(address) not in {0, before}, WAIT_SECONDS, f"{address} is served again")

    def seconds_until(self, look: Any, seconds: float, what: str) -> float:  # noqa: ANN401 - any condition
        """Wait for a condition, a server that does not answer being none; return how long that took."""
        began = time.monotonic()

        def holds() -> bool:
            try:
                return bool(look())
            except (psycopg.Error, redis.RedisError, OSError):
                return False

        assert wait_until(holds, seconds), f"{what}: not within {seconds:.0f} s\n{self.stack.said()}"
        return time.monotonic() - began


def parent_of(pid: int) -> int:
    """Return the parent of a process, 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:  # noqa: PTH123 - a file of the kernel's
            return int(stat.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def send_signal(pids: Iterable[int], how: signal.Signals) -> None:
    """Send a signal to processes of the stack, some of which may be gone meanwhile."""
    for pid in pids:
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            continue
