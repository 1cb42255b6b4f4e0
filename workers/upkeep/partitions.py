"""Partitions: make those of the coming months, drop those of the past, and never keep a drain waiting for it.

Both take an exclusive lock on the parent table. Whoever waits for such a lock holds up all who come behind, so the wait
is short, and tried again a little later; what never gets its turn is left for the next hour. (DETACH ... CONCURRENTLY
would not wait, but PostgreSQL refuses it where there is a default partition.)
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql

from workers.database.connections import Database

LOCK_MILLISECONDS = 200
LOCK_ATTEMPTS = 5
LOCK_PAUSE = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition. `until` is where its range ends; None: the default partition, which has no range."""

    schema: str
    name: str
    until: datetime | None

    @property
    def identifier(self) -> sql.Identifier:
        """Its name for a statement."""
        return sql.Identifier(self.schema, self.name)


def list_partitions(database: Database, table: str) -> list[Partition]:
    """Return the partitions of a table by range, the earliest first, as the server has them, whatever their names."""
    rows = database.execute(SELECT_PARTITIONS, [table]).fetchall()
    return [Partition(row["schema"], row["name"], row["until"]) for row in rows]


def make_partitions(database: Database, ahead: int) -> list[str] | None:
    """Make the partitions of this month and of `ahead` months more. Return their names; None: no lock to be had."""
    made: list[str] = []

    def make() -> None:
        rows = database.execute("SELECT ensure_partitions(%s)", [ahead]).fetchall()
        made.extend(row["ensure_partitions"] for row in rows)

    return made if lock_briefly(database, make) else None


def drop_partition(database: Database, partition: Partition) -> bool:
    """Drop a partition with all its rows. Return whether the lock for it could be had."""

    def drop() -> None:
        database.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(partition.identifier))

    return lock_briefly(database, drop)


def lock_briefly(database: Database, change: Callable[[], None]) -> bool:
    """Do `change` in a transaction that waits for no lock longer than a moment, a few times over. Return whether."""
    for attempt in range(LOCK_ATTEMPTS):
        if attempt:
            time.sleep(LOCK_PAUSE)
        try:
            with database.transaction():
                database.execute("SELECT set_config('lock_timeout', %s, true)", [str(LOCK_MILLISECONDS)])
                change()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            continue
        return True
    return False


SELECT_PARTITIONS = """
    SELECT n.nspname AS schema, c.relname AS name,
           substring(pg_get_expr(c.relpartbound, c.oid) from $$TO \\('([^']+)'\\)$$)::timestamptz AS until
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE i.inhparent = to_regclass(%s) ORDER BY until NULLS LAST
"""
