"""Retention: let go what has been kept long enough, month by month, without ever keeping a drain waiting.

What stays for good: alerts, identities and the running totals (so that the books still balance when receipts are
gone), open rejections, and outbox items that were not delivered, with their events. A receipt stays while its entry, or
an older one, is still in the journal: it is what keeps the entry from being stored a second time.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import redis
import structlog
from psycopg import sql

from schemas.configuration import Retention
from workers.connections import Database, connect_database, connect_stream
from workers.deadline import Deadline
from workers.partitions import drop_partition, list_partitions, make_partitions
from workers.settings import Workshop

log = structlog.get_logger()

MONTHS_AHEAD = 3
SECONDS = 30.0  # of one round; what is left waits for the next
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


def maintain(workshop: Workshop) -> None:
    """Make the partitions of the coming months and remove what is past its time. One worker at a time."""
    with connect_database(workshop.database_url, "maintain") as database:
        turn = database.execute("SELECT pg_try_advisory_lock(hashtext('alert-intake maintain')) AS mine").fetchone()
        if not (turn and turn["mine"]):
            return
        made = make_partitions(database, MONTHS_AHEAD)
        if made is None:
            log.warning("partitions_postponed", why="the tables were in use; the next round tries again")
        elif made:
            log.info("partitions_made", partitions=made)
        settings = workshop.configuration.retention
        bound = read_oldest_entry(workshop)
        removed = enforce_retention(database, settings, bound, Deadline(SECONDS))
    if removed.partitions or removed.postponed or removed.rows:
        log.info("retention", partitions=removed.partitions, postponed=removed.postponed, rows=dict(removed.rows))


def read_oldest_entry(workshop: Workshop) -> datetime | None:
    """Return when the oldest entry that is still in the journal came, now when it is empty, None when nobody knows."""
    try:
        with connect_stream(workshop.journal_url) as client:
            entries: object = client.xrange(workshop.configuration.journal.stream, count=1)
    except (redis.RedisError, OSError) as error:
        log.warning("receipts_not_removed", why=f"the journal does not answer: {type(error).__name__}")
        return None
    if not (isinstance(entries, list) and entries):
        return datetime.now(UTC)
    return EPOCH + timedelta(milliseconds=int(entries[0][0].partition(b"-")[0]))


def enforce_retention(
    database: Database, settings: Retention, oldest_entry: datetime | None, deadline: Deadline
) -> Removed:
    """Remove what is past its time. `oldest_entry` None keeps every receipt."""
    removed = Removed()
    row = database.execute("SELECT now() AS now").fetchone()
    now: datetime = row["now"] if row else EPOCH
    remove_months(database, "raw_bodies", "entered_at", month_of(now, settings.raw_bodies), deadline, removed)
    if oldest_entry is not None:
        cutoff = min(month_of(now, settings.receipts), month_of(oldest_entry, 0))
        remove_months(database, "endings", "entered_at", cutoff, deadline, removed)
        remove_months(database, "receipts", "entered_at", cutoff, deadline, removed)
    remove_months(database, "revisions", "changed_at", month_of(now, settings.revisions), deadline, removed)
    cutoff = month_of(now, settings.attempts)
    remove_months(database, "attempts", "attempted_at", cutoff, deadline, removed)
    remove_in_order(database, "outbox", DELETE_DELIVERED, cutoff, deadline, removed)
    remove_in_order(database, "events", DELETE_EVENTS, cutoff, deadline, removed)
    remove_rows(database, "rejections", DELETE_CLOSED, month_of(now, settings.raw_bodies), deadline, removed)
    return removed


def month_of(moment: datetime, days: int) -> datetime:
    """Return the beginning of the month, in UTC, that it was so many days before: what is older may go.

    A month's days are counted from its end: its end lies `days` back exactly when it is at or before this.
    """
    past = moment.astimezone(UTC) - timedelta(days=days)
    return past.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


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
DELETE_DELIVERED = sql.SQL("""
    WITH gone AS MATERIALIZED (
        SELECT id FROM outbox
        WHERE id > %(after)s AND id < %(before)s AND state = 'delivered' AND ended_at < %(cutoff)s
        ORDER BY id LIMIT %(limit)s
    )
    DELETE FROM outbox o USING gone WHERE o.id = gone.id AND o.state = 'delivered' RETURNING o.id
""")
DELETE_EVENTS = sql.SQL("""
    WITH gone AS MATERIALIZED (
        SELECT id FROM events e
        WHERE id > %(after)s AND id < %(before)s AND created_at < %(cutoff)s
            AND NOT EXISTS (SELECT FROM outbox o WHERE o.event_id = e.id)
        ORDER BY id LIMIT %(limit)s
    )
    DELETE FROM events e USING gone WHERE e.id = gone.id RETURNING e.id
""")
DELETE_CLOSED = sql.SQL("""
    DELETE FROM rejections WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM rejections WHERE state <> 'open' AND closed_at < %(cutoff)s LIMIT %(limit)s
    ))
""")
