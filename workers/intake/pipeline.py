"""The order of the stations, on one screen: consume, validate, dedupe, enrich, link, store, settle.

Whatever fails on the way leaves the entries in the journal: settling comes last, after the commit.
"""

import time
from collections import Counter
from dataclasses import dataclass, field

import psycopg
import structlog
from psycopg import errors

from schemas.keyring import UnknownKey
from workers import stopwatch
from workers.connections import Database, connect_database, connect_stream
from workers.deadline import Deadline
from workers.enrich.hold import hold_events, mark_pending
from workers.enrich.local import enrich_alert
from workers.enrich.rules import Rules, load_rules
from workers.intake import announce, claims, dedupe, link, store
from workers.intake.consume import Consumer
from workers.intake.incarnation import (
    EntryIdRecurred,
    JournalReplaced,
    Life,
    note_added,
    open_journal,
)
from workers.intake.losses import enter_anew
from workers.intake.outcomes import Decisions, Entry, Rejection, Report
from workers.intake.validate import validate_entry
from workers.settings import Workshop
from workers.tracing import trace_batch

log = structlog.get_logger()

NOTE_EVERY = 1.0

# What PostgreSQL says of a row and not of itself: its values, a constraint, too large for an index, a trigger's no.
REFUSALS = (psycopg.DataError, psycopg.IntegrityError, errors.ProgramLimitExceeded, errors.RaiseException)


@dataclass(slots=True)
class Drained:
    """What one drain did: entries settled, and endings by name."""

    entries: int = 0
    endings: Counter[str] = field(default_factory=Counter)


def drain(workshop: Workshop, consumer_name: str, seconds: float) -> Drained:
    """Carry entries from the journal to the database for about `seconds`. Raises when a server fails; none is lost."""
    drained = Drained()
    rules = load_rules(workshop.configuration)
    deadline = Deadline(seconds)
    # The database first: an entry must not be taken before there is somewhere to put it.
    with connect_database(workshop.database_url, "drain") as database, connect_stream(workshop.journal_url) as client:
        while deadline.left() > 0:
            stream = workshop.configuration.journal.stream
            try:
                life = open_journal(client, database, stream)
                consumer = Consumer(client, stream, life.incarnation, consumer_name, workshop.configuration.drain)
                drain_journal(workshop, rules, consumer, life, database, deadline, drained)
            except JournalReplaced as error:
                log.warning("journal_replaced", why=str(error))
    return drained


def drain_journal(
    workshop: Workshop,
    rules: Rules,
    consumer: Consumer,
    life: Life,
    database: Database,
    deadline: Deadline,
    drained: Drained,
) -> None:
    """Carry batch after batch until the deadline. Raises JournalReplaced when the journal has to be opened anew."""
    noted = 0.0
    while deadline.left() > 0:
        if time.monotonic() - noted >= NOTE_EVERY:
            note_added(consumer.client, database, consumer.stream, life)
            noted = time.monotonic()
        entries = consumer.take(deadline.left())
        if entries:
            try:
                carry_batch(workshop, rules, consumer, database, entries, drained)
            except psycopg.Error:
                consumer.put_back(entries)
                raise
            except EntryIdRecurred as recurred:
                consumer.put_back(entries)
                enter_anew(consumer.client, database, consumer.stream, life.incarnation, recurred.entries)
                raise


def carry_batch(
    workshop: Workshop, rules: Rules, consumer: Consumer, database: Database, entries: list[Entry], drained: Drained
) -> None:
    """Carry one batch all the way. One that Postgres refuses is halved until the culprit stands alone."""
    began = time.perf_counter()
    stopwatch.begin_batch()
    reports = validate_entries(workshop, entries)
    entries = [report.entry for report in reports]
    if not reports:
        return
    stopwatch.pass_station("validate")
    try:
        decisions = commit_batch(workshop, rules, consumer, database, reports)
    except REFUSALS as error:
        if len(entries) > 1:
            middle = len(entries) // 2
            for half in (entries[:middle], entries[middle:]):
                carry_batch(workshop, rules, consumer, database, half, drained)
            return
        decisions = commit_batch(workshop, rules, consumer, database, [reject_unstorable(reports[0], error)])
    stopwatch.pass_station("commit")
    consumer.settle(entries)
    stopwatch.pass_station("settle")
    stopwatch.count_batch(entries, decisions)
    trace_batch(reports, began)
    endings: Counter[str] = Counter(ending.ending for ending in decisions.endings)
    drained.entries += len(entries)
    drained.endings.update(endings)
    milliseconds = round((time.perf_counter() - began) * 1000, 1)
    log.info(
        "batch_stored",
        first=entries[0].entry_id.decode(),
        last=entries[-1].entry_id.decode(),
        entries=len(entries),
        events=len(decisions.events),
        ms=milliseconds,
        **endings,
    )


@store.retried_on_conflict
def commit_batch(
    workshop: Workshop, rules: Rules, consumer: Consumer, database: Database, reports: list[Report]
) -> Decisions:
    """Decide and write one batch in one transaction. Only entries whose receipt it inserts have any other effect."""
    with database.transaction():
        admitted = claims.admit_entries(database, consumer.incarnation, reports)
        identities = dedupe.identities_of(admitted)
        claimed, known = claims.claim_identities(database, identities)
        stopwatch.pass_station("claim")
        decisions = dedupe.decide_endings(admitted, known, claimed, workshop.keyring)
        stopwatch.pass_station("decide")
        for alert in decisions.every_alert():
            enrich_alert(alert, rules)
        stopwatch.pass_station("enrich")
        link.link_alerts(database, decisions)
        mark_pending(decisions, rules)
        stopwatch.pass_station("link")
        store.save_batch(database, consumer.incarnation, consumer.name, admitted, decisions, workshop.keyring)
        stopwatch.pass_station("store")
        announce.announce_events(database, decisions.events)
        hold_events(database, decisions, rules)
        stopwatch.pass_station("announce")
    return decisions


def validate_entries(workshop: Workshop, entries: list[Entry]) -> list[Report]:
    """Validate a batch. An entry sealed with a key that is not configured is left in the journal until it is."""
    reports = []
    for entry in entries:
        try:
            reports.append(validate_entry(entry, workshop.configuration, workshop.keyring))
        except UnknownKey as error:
            log.error("entry_left", entry_id=entry.entry_id.decode(), why=str(error))  # noqa: TRY400 - no surprise
    return reports


def reject_unstorable(report: Report, error: psycopg.Error) -> Report:
    """Turn an entry that Postgres refuses, alone, into a rejection. Its body is kept; the row is not quoted."""
    why = f"PostgreSQL refused it: {type(error).__name__} {error.sqlstate or ''}".strip()
    body = report.envelope.body if report.envelope else None
    return Report(report.entry, report.envelope, (Rejection("unstorable", why, body),))
