"""The order of the stations, on one screen: consume, validate, dedupe, enrich, link, store, settle.

Whatever fails on the way leaves the entries in the journal: settling comes last, after the commit.
"""

import time
from collections import Counter
from dataclasses import dataclass, field

import psycopg
import structlog

from workers import stopwatch
from workers.connections import Database, connect_database, connect_stream
from workers.deadline import Deadline
from workers.enrich.hold import hold_events, mark_pending
from workers.enrich.local import enrich_alert
from workers.enrich.rules import Rules, load_rules
from workers.intake import announce, claims, dedupe, link, store
from workers.intake.consume import Consumer
from workers.intake.incarnation import EntryIdRecurred, JournalReplaced, Life, note_added, open_journal
from workers.intake.losses import enter_anew
from workers.intake.outcomes import Decisions, Report, name_requests
from workers.intake.refusals import REFUSALS, reject_unstorable, retried_on_conflict
from workers.intake.supply import Supply
from workers.settings import Workshop
from workers.tracing import trace_batch

log = structlog.get_logger()

NOTE_EVERY = 1.0


@dataclass(slots=True)
class Drained:
    """What one drain did: entries settled, and endings by name."""

    entries: int = 0
    endings: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Way:
    """What a batch is carried with from the journal to the database, and what has come of all of them."""

    workshop: Workshop
    rules: Rules
    consumer: Consumer
    database: Database
    drained: Drained


def drain(workshop: Workshop, consumer_name: str, seconds: float) -> Drained:
    """Carry entries from the journal to the database for about `seconds`. Raises when a server fails; none is lost."""
    drained = Drained()
    rules = load_rules(workshop.configuration)
    # The database first: an entry must not be taken before there is somewhere to put it.
    with connect_database(workshop.database_url, "drain") as database, connect_stream(workshop.journal_url) as client:
        deadline = Deadline(seconds)  # from now on: connecting may take long, and then nothing would be done
        while deadline.left() > 0:
            stream = workshop.configuration.journal.stream
            try:
                life = open_journal(client, database, stream)
                consumer = Consumer(client, stream, life.incarnation, consumer_name, workshop.configuration.drain)
                drain_journal(Way(workshop, rules, consumer, database, drained), life, deadline)
            except JournalReplaced as error:
                log.warning("journal_replaced", why=str(error))
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
            try:
                stopwatch.begin_batch(batch.taken, batch.validated)
                carry_batch(way, batch.reports)
            except psycopg.Error:
                supply.put_back(batch)
                raise
            except EntryIdRecurred as recurred:
                supply.put_back(batch)
                enter_anew(consumer.client, database, consumer.stream, life.incarnation, recurred.entries)
                raise


def carry_batch(way: Way, reports: list[Report]) -> None:
    """Carry one batch all the way. One that Postgres refuses is halved until the culprit stands alone."""
    if not reports:
        return
    try:
        decisions = commit_batch(way, reports)
    except REFUSALS as error:
        if len(reports) > 1:
            middle = len(reports) // 2
            carry_batch(way, reports[:middle])
            carry_batch(way, reports[middle:])
            return
        decisions = commit_batch(way, [reject_unstorable(reports[0], error)])
    stopwatch.pass_station("commit")
    entries = [report.entry for report in reports]
    way.consumer.settle(entries)
    stopwatch.pass_station("settle")
    endings: Counter[str] = Counter(ending.ending for ending in decisions.endings)
    way.drained.entries += len(entries)
    way.drained.endings.update(endings)
    seconds = stopwatch.count_batch(entries, decisions)
    trace_batch(reports, time.perf_counter() - seconds)
    log.info(
        "batch_stored",
        first=entries[0].entry_id.decode(),
        last=entries[-1].entry_id.decode(),
        entries=len(entries),
        requests=name_requests(reports),
        events=len(decisions.events),
        ms=round(seconds * 1000, 1),
        **endings,
    )


@retried_on_conflict
def commit_batch(way: Way, reports: list[Report]) -> Decisions:
    """Decide and write one batch in one transaction. Only entries whose receipt it inserts have any other effect."""
    consumer, database, keyring = way.consumer, way.database, way.workshop.keyring
    with database.transaction():
        admitted = claims.admit_entries(database, consumer.incarnation, reports)
        claimed, known = claims.claim_identities(database, dedupe.identities_of(admitted))
        stopwatch.pass_station("claim")
        decisions = dedupe.decide_endings(admitted, known, claimed, keyring)
        stopwatch.pass_station("decide")
        for alert in decisions.every_alert():
            enrich_alert(alert, way.rules)
        stopwatch.pass_station("enrich")
        link.link_alerts(database, decisions)
        mark_pending(decisions, way.rules)
        stopwatch.pass_station("link")
        store.save_batch(database, consumer.incarnation, consumer.name, admitted, decisions, keyring)
        stopwatch.pass_station("store")
        announce.announce_events(database, decisions.events)
        hold_events(database, decisions, way.rules)
        stopwatch.pass_station("announce")
    return decisions
