"""Removal: partitions that are past their time are dropped, other rows deleted in batches, each its own transaction."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from psycopg import sql

from workers.database.connections import Database
from workers.deadline import Deadline
from workers.upkeep.partitions import drop_partition, list_partitions

BATCH = 1000  # rows of one DELETE: some milliseconds
Statement = sql.SQL | sql.Composed
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_ID = UUID(int=0)


@dataclass(slots=True)
class Removed:
    """What one round removed. `postponed` are partitions whose lock could not be had."""

    partitions: list[str] = field(default_factory=list)
    postponed: list[str] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)


def remove_months(
    database: Database, table: str, column: str, cutoff: datetime, deadline: Deadline, removed: Removed
) -> None:
    """Drop the partitions of a table that end at the cutoff or before; of its default partition delete the rows."""
    for partition in list_partitions(database, table):
        if deadline.left() <= 0:
            return
        if partition.until is None:
            statement = DELETE_FROM_DEFAULT.format(table=partition.identifier, column=sql.Identifier(column))
            remove_rows(database, table, statement, cutoff, deadline, removed)
        elif partition.until <= cutoff:
            found = removed.partitions if drop_partition(database, partition) else removed.postponed
            found.append(partition.name)


def remove_rows(
    database: Database,
    table: str,
    statement: Statement,
    cutoff: datetime,
    deadline: Deadline,
    removed: Removed,
) -> None:
    """Delete rows batch by batch, each a transaction of its own."""
    while deadline.left() > 0:
        deleted = database.execute(statement, {"cutoff": cutoff, "limit": BATCH}).rowcount
        if deleted:
            removed.rows[table] += deleted
        if deleted < BATCH:
            return


def remove_in_order(
    database: Database, table: str, statement: Statement, cutoff: datetime, deadline: Deadline, removed: Removed
) -> None:
    """Delete rows whose ids are UUIDv7, in their order: a batch goes on where the last ended, past those that stay."""
    after, before = FIRST_ID, first_id_of(cutoff)
    while deadline.left() > 0:
        place = {"after": after, "before": before, "cutoff": cutoff, "limit": BATCH}
        rows = database.execute(statement, place).fetchall()
        if rows:
            removed.rows[table] += len(rows)
        if len(rows) < BATCH:
            return
        after = max(row["id"] for row in rows)


def first_id_of(moment: datetime) -> UUID:
    """Return a bound below every UUIDv7 made at this moment or later (RFC 9562: 48 bits of milliseconds lead)."""
    return UUID(int=((moment - EPOCH) // timedelta(milliseconds=1)) << 80)


DELETE_FROM_DEFAULT = sql.SQL(
    "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {column} < %(cutoff)s LIMIT %(limit)s))"
)
