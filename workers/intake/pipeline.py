"""The order of the stations, on one screen: consume, validate, dedupe, enrich, link, store, settle.

Whatever fails on the way leaves the entries in the journal: settling comes last, after the commit.
"""

import time
from collections import Counter
from dataclasses import dataclass, field

import psycopg
import structlog

from workers.database.connections import Database
from workers.database.refusals import retried_on_conflict
from workers.enrichers.enricher import Rules
from workers.enrichers.local import enrich_alert
from workers.intake import announce, claims, dedupe, link, stopwatch, store
from workers.intake.consume import Consumer
from workers.intake.hold import hold_events, mark_pending
from workers.intake.outcomes import Decisions, Report, name_requests
from workers.intake.trace import trace_batch
from workers.settings import Workshop

log = structlog.get_logger()


@dataclass(slots=True)
class Drained:
    """What one drain did: entries settled, endings by name, and why entries were `left` where they are, by id."""

    entries: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    left: dict[bytes, psycopg.Error] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Way:
    """What a batch is carried with from the journal to the database, and what has come of all of them."""

    workshop: Workshop
    rules: Rules
    consumer: Consumer
    database: Database
    drained: Drained


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


def settle_batch(way: Way, reports: list[Report], decisions: Decisions) -> None:
    """Settle the entries of a batch that is committed, and tell of it."""
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
