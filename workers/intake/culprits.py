"""Culprits: when PostgreSQL refuses a batch, only the alert that it refuses is rejected; all others are stored.

A batch is halved until the entry stands alone, an entry with a list until the alert does. An entry over which the
server breaks is not to blame for that, nor is any when the tables refuse whatever there is: it stays in the journal.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import psycopg

from schemas.alert.alert import Message
from schemas.settings.configuration import Configuration
from workers.database.refusals import concerns_rows, describe, is_refusal
from workers.intake.blame import leave_aside
from workers.intake.outcomes import Rejection, Report
from workers.intake.pipeline import Way, commit_batch, settle_batch
from workers.intake.probe import try_tables
from workers.intake.validate import list_bodies

Refused = Callable[[Report], psycopg.Error | None]


def carry_batch(way: Way, reports: list[Report]) -> None:
    """Carry one batch all the way. Raises psycopg.Error when the server fails; then the batch is to be given back."""
    if not reports:
        return
    try:
        decisions = commit_batch(way, reports)
    except psycopg.Error as error:
        if not concerns_rows(error):
            raise
        if len(reports) == 1:
            carry_alone(way, reports[0], error)
            return
        middle = len(reports) // 2
        carry_batch(way, reports[:middle])
        carry_batch(way, reports[middle:])
        return
    settle_batch(way, reports, decisions)


def carry_alone(way: Way, report: Report, error: psycopg.Error) -> None:
    """Carry an entry without those of its alerts that are refused, or leave it where it is.

    Raises `error` when the tables take nothing else either: that says nothing of this entry.
    """
    if try_tables(way) is not None:
        raise error
    try:
        if not is_refusal(error):
            raise error
        accepted = reject_refused(report, error, lambda tried: try_out(way, tried), way.workshop.configuration)
        decisions = commit_batch(way, [accepted])
    except psycopg.Error as again:
        if not concerns_rows(again):
            raise
        leave_aside(way, report.entry, again)
        return
    settle_batch(way, [accepted], decisions)


def try_out(way: Way, report: Report) -> psycopg.Error | None:
    """Store an entry and take it back; return PostgreSQL's refusal, if it refuses."""
    try:
        with way.database.transaction(force_rollback=True):
            commit_batch(way, [report])
    except psycopg.Error as error:
        if not is_refusal(error):
            raise
        return error
    return None


def reject_refused(report: Report, error: psycopg.Error, refused: Refused, configuration: Configuration) -> Report:
    """Return an entry in which each alert that is refused, as `refused` finds out, has become a rejection.

    The body of the alert is kept; what PostgreSQL quotes of the row is not. Raises `error` when no alert is to blame.
    """
    places = [place for place, found in enumerate(report.items) if isinstance(found, Message)]
    if report.envelope is None or not places:
        raise error
    culprits = find_culprits(places, error, lambda some: refused(keep_alerts(report, some)))
    bodies = list_bodies(report.envelope, configuration)
    items = list(report.items)
    for place, why in culprits.items():
        items[place] = Rejection("unstorable", f"PostgreSQL refused it: {describe(why)}", bodies[place])
    return replace(report, items=tuple(items))


def find_culprits(
    places: Sequence[int], error: psycopg.Error, refused: Callable[[Sequence[int]], psycopg.Error | None]
) -> dict[int, psycopg.Error]:
    """Return which of these alerts are refused, and with what words. All of them, if only all together are refused."""
    if len(places) == 1:
        return {places[0]: error}
    middle = len(places) // 2
    found: dict[int, psycopg.Error] = {}
    for half in (places[:middle], places[middle:]):
        why = refused(half)
        if why is not None:
            found |= find_culprits(half, why, refused)
    return found or dict.fromkeys(places, error)


def keep_alerts(report: Report, places: Sequence[int]) -> Report:
    """Return an entry with these of its alerts, and its rejections."""
    kept = set(places)
    items = (found for place, found in enumerate(report.items) if place in kept or isinstance(found, Rejection))
    return replace(report, items=tuple(items))
