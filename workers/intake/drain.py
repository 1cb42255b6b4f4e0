"""Drain: batch after batch from the journal to the database, for a while. What a server fails stays in the journal."""

import time
from functools import cache

import psycopg
import structlog

from workers.database.connections import Database, connect_database, connect_stream
from workers.database.kept import Kept
from workers.deadline import Deadline
from workers.enrichers.rules import load_rules
from workers.intake import stopwatch
from workers.intake.blame import give_back
from workers.intake.consume import Consumer
from workers.intake.culprits import carry_batch
from workers.intake.incarnation import EntryIdRecurred, JournalReplaced, Life, note_added, open_journal
from workers.intake.losses import enter_anew
from workers.intake.pipeline import Drained, Way
from workers.intake.probe import try_tables
from workers.intake.supply import Supply
from workers.settings import Workshop
from workers.upkeep.sessions import end_abandoned

log = structlog.get_logger()

NOTE_EVERY = 1.0


def drain(workshop: Workshop, consumer_name: str, seconds: float, kept: Kept | None = None) -> Drained:
    """Carry entries from the journal to the database for about `seconds`. Raises when a server fails; none is lost.

    An entry that PostgreSQL fails over stays in the journal and holds up no other. Raises when there was none it took.
    `kept` has the connection to the database; without it one is opened for this drain alone.
    """
    drained = Drained()
    rules = load_rules(workshop.configuration)
    # The database first: an entry must not be taken before there is somewhere to put it.
    lent = kept.lend() if kept else connect_database(workshop.database_url, "drain")
    with lent as database, connect_stream(workshop.journal_url) as client:
        end_abandoned(database)
        warn_of_forgetful(database)
        deadline = Deadline(seconds)  # from now on: connecting may take long, and then nothing would be done
        while deadline.left() > 0:
            stream = workshop.configuration.journal.stream
            try:
                life = open_journal(client, database, stream)
                consumer = Consumer(client, stream, life.incarnation, consumer_name, workshop.configuration.drain)
                way = Way(workshop, rules, consumer, database, drained)
                if kept and kept.is_new:
                    # So the server learns the tables for this connection: else the first alert would wait for that.
                    try_tables(way)
                drain_journal(way, life, deadline)
            except JournalReplaced as error:
                log.warning("journal_replaced", why=str(error))
    if drained.left and not drained.entries:
        raise next(iter(drained.left.values()))
    return drained


def drain_journal(way: Way, life: Life, deadline: Deadline) -> None:
    """Carry batch after batch until the deadline. Raises JournalReplaced when the journal has to be opened anew."""
    consumer, database = way.consumer, way.database
    noted = 0.0
    with Supply(way.workshop, consumer) as supply:
        while deadline.left() > 0 or supply.is_ahead:
            if time.monotonic() - noted >= NOTE_EVERY:
                note_added(consumer.client, database, consumer.stream, life)
                noted = time.monotonic()
            batch = supply.next_batch(deadline.left())
            if deadline.left() > 0:
                supply.take_ahead(batch)
            for entry in batch.entries:
                way.drained.left.pop(entry.entry_id, None)  # it is tried anew
            try:
                stopwatch.begin_batch(batch.taken, batch.validated)
                carry_batch(way, batch.reports)
            except psycopg.Error as error:
                give_back(way, batch.entries, error)
            except EntryIdRecurred as recurred:
                consumer.put_back(batch.entries)
                enter_anew(consumer.client, database, consumer.stream, life.incarnation, recurred.entries)
                raise


def warn_of_forgetful(database: Database) -> None:
    """Say that the server may forget what it commits: then alerts that are settled can be lost with it.

    No more than that: some services keep what they commit by other means than these settings of PostgreSQL.
    """
    found = database.execute("SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS pages")
    for row in found:
        tell_forgetful(row["fsync"], row["pages"])


@cache
def tell_forgetful(fsync: str, full_page_writes: str) -> None:
    """Tell it once in a process."""
    if "off" in (fsync, full_page_writes):
        why = "a power failure could undo what was committed; see `alert-intake doctor`"
        log.error("database_may_forget", fsync=fsync, full_page_writes=full_page_writes, why=why)
