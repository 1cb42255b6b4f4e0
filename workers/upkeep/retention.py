"""Retention: let go what has been kept long enough, month by month, without ever keeping a drain waiting.

What stays for good: alerts, identities and the running totals (so that the books still balance when receipts are
gone), open rejections, and outbox items that were not delivered, with their events. A receipt stays while its entry, or
an older one, is still in the journal: it is what keeps the entry from being stored a second time.
"""

from datetime import UTC, datetime, timedelta

import redis
import structlog
from psycopg import sql

from schemas.settings.retention import Retention
from workers.database.connections import Database, connect_database, connect_stream
from workers.deadline import Deadline
from workers.settings import Workshop
from workers.upkeep.consumers import forget_consumers
from workers.upkeep.partitions import make_partitions
from workers.upkeep.removal import Removed, remove_in_order, remove_months, remove_rows

log = structlog.get_logger()

MONTHS_AHEAD = 3
SECONDS = 30.0  # of one round; what is left waits for the next
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def maintain(workshop: Workshop) -> None:
    """Make the partitions of the coming months, remove what is past its time, forget who drains no more.

    One worker at a time.
    """
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
        forgotten = forget_silent(workshop)
    if removed.partitions or removed.postponed or removed.rows:
        log.info("retention", partitions=removed.partitions, postponed=removed.postponed, rows=dict(removed.rows))
    if forgotten:
        log.info("consumers_forgotten", consumers=forgotten)


def forget_silent(workshop: Workshop) -> int:
    """Forget the drains that have been gone for a day; return how many, 0 when the journal does not answer."""
    try:
        with connect_stream(workshop.journal_url) as client:
            return forget_consumers(client, workshop.configuration.journal.stream)
    except (redis.RedisError, OSError) as error:
        log.warning("consumers_not_forgotten", why=f"the journal does not answer: {type(error).__name__}")
        return 0


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
# A replay without a receipt may be lost, and then this is its last body. Nothing stays longer than receipts do.
DELETE_CLOSED = sql.SQL("""
    DELETE FROM rejections WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM rejections r
        WHERE state <> 'open' AND closed_at < %(cutoff)s AND (
            state <> 'replayed' OR closed_at < (SELECT min(entered_at) FROM receipts)
            OR EXISTS (SELECT FROM receipts WHERE request_id = r.replayed_as)
        )
        LIMIT %(limit)s
    ))
""")
