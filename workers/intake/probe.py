"""Probe: whether the tables take an alert that is known to be good. It goes the way of any other, and is taken back.

So what is wrong with the server, or with the tables, is told from what is wrong with an alert.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from random import getrandbits
from uuid import uuid4

import psycopg
import structlog

from schemas.alert.alert import Alert, Message
from schemas.journal.envelope import Envelope
from workers.database.connections import connect_database
from workers.database.refusals import describe, is_refusal
from workers.intake.claims import ALERT_COLUMNS
from workers.intake.outcomes import Entry, Report
from workers.intake.pipeline import Way, commit_batch

log = structlog.get_logger()

PROBE_SECONDS = 10  # for each statement; who needs longer for one alert is failing


def try_tables(way: Way) -> psycopg.Error | None:
    """Return what PostgreSQL has against a good alert, and log it; None when it takes one.

    Uses a connection of its own when that of `way` is gone. Raises psycopg.OperationalError when there is none to have.
    """
    if way.database.closed:
        with connect_database(way.workshop.database_url, "drain") as database:
            return try_tables(replace(way, database=database))
    refused = None
    try:
        for message in good_messages(way):
            refused = try_message(way, message)
            if refused is None or not is_refusal(refused):
                break
    except psycopg.Error as error:
        refused = error
    if refused is not None:
        said = refused.diag
        log.error("tables_take_nothing", why=describe(refused), table=said.table_name, constraint=said.constraint_name)
    return refused


def good_messages(way: Way) -> Iterator[Message]:
    """Yield an alert that says nothing; then one that says what the latest one says that the tables have taken.

    The second is for constraints of the operator's own, which the first may not fit: it is enough when one is taken.
    """
    source = way.workshop.configuration.sources[0].name
    yield Message("unknown", f"probe-{uuid4()}", source, own_door=False, kind=None, event=None, sent_at=None,
                  status=None, facts={})  # fmt: skip
    for row in way.database.execute(SELECT_LATEST).fetchall():
        latest = Alert.from_row(row)
        yield Message(latest.network, f"probe-{uuid4()}", latest.source, own_door=False, kind=latest.kind, event=None,
                      sent_at=None, status=latest.status, facts=latest.facts)  # fmt: skip


def try_message(way: Way, message: Message) -> psycopg.Error | None:
    """Store a message as if it came from the journal, take it back, and return what PostgreSQL had against it."""
    entry = Entry(b"%d-%d" % (time.time_ns() // 1_000_000, 2**62 + getrandbits(61)), {b"b": b""})
    try:
        with way.database.transaction(force_rollback=True):
            way.database.execute(f"SET LOCAL statement_timeout = '{PROBE_SECONDS}s'")
            commit_batch(way, [Report(entry, Envelope(message.source, b""), (message,))])
    except psycopg.Error as error:
        return error
    return None


SELECT_LATEST = f"SELECT {', '.join(ALERT_COLUMNS)} FROM alerts ORDER BY position DESC LIMIT 1"  # noqa: S608 - names
