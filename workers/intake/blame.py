"""Blame: what becomes of a batch over which the server failed. No entry is ever rejected for that.

Whether an entry is what the server fails over (one that ends its session, needs all its memory or takes too long)
shows only when it is alone. So the entries of such a batch come one by one next time; one that fails alone while the
tables take another is set aside, where it holds up no other. When the tables take nothing no entry is to blame.
"""

import psycopg
import structlog

from workers.database.refusals import describe
from workers.intake.outcomes import Entry
from workers.intake.pipeline import Way
from workers.intake.probe import try_tables

log = structlog.get_logger()


def give_back(way: Way, entries: list[Entry], error: psycopg.Error) -> None:
    """Put back a batch over which the server failed. Raises `error`, unless this drain may go on."""
    unsettled = [entry for entry in entries if entry.entry_id not in way.drained.left]
    alone = len(unsettled) == 1
    try:
        server_fails = try_tables(way) is not None
        to_blame = alone and not server_fails
    except psycopg.OperationalError:
        # It may be that entry which took the server down; or the server has its own reasons, which do not come twice.
        server_fails = False
        to_blame = alone and unsettled[0].deliveries > 1
    if to_blame:
        leave_aside(way, unsettled[0], error)
        if not way.database.closed:
            return
    elif unsettled:
        way.consumer.put_back(unsettled, apart=not server_fails)
        log.warning("batch_put_back", entries=len(unsettled), apart=not server_fails, why=describe(error))
    raise error


def leave_aside(way: Way, entry: Entry, error: psycopg.Error) -> None:
    """Leave an entry in the journal, where it holds up no other and is tried again after a while."""
    way.drained.left[entry.entry_id] = error
    way.consumer.set_aside(entry)
    log.error("entry_left", entry_id=entry.entry_id.decode(), why=describe(error), before=entry.set_aside)
