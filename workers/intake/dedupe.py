"""Dedupe: decide how each message ends, from the messages of a batch and what Postgres already knows. Pure.

The rules, for one alert:
- duplicate: this content came before, ever, from this source
- order: a source's messages are ordered by the time they carry, else by receipt; a resolution comes after a creation
  of the same moment. A message that is older than the latest is superseded: it may fill empty fields, nothing else

What a message may change is decided in `merge`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from uuid_utils.compat import uuid7

from schemas.alert.alert import Alert, Message
from schemas.alert.content import content_of
from schemas.alert.times import iso_milliseconds
from schemas.alert.vocabulary import CLOSED_STATUSES
from schemas.keyring import Keyring
from workers.intake.merge import apply_message
from workers.intake.outcomes import Decisions, Ending, EndingName, Identity, Rejection, Report, Revision


def identities_of(reports: Sequence[Report]) -> list[Identity]:
    """Return the identities that a batch speaks of, once each, in the order in which they have to be locked."""
    messages = (item for report in reports for item in report.items if isinstance(item, Message))
    return sorted({(message.network, message.provider_alert_id) for message in messages})


def decide_endings(
    reports: Sequence[Report], known: Mapping[Identity, Alert], claimed: Mapping[Identity, str], keyring: Keyring
) -> Decisions:
    """Give every alert of every report its one ending, in the order of the journal.

    known     the alerts that Postgres has
    claimed   ids for the identities that are new to Postgres
    """
    decisions = Decisions()
    alerts = dict(known)
    for report in reports:
        for item, found in enumerate(report.items):
            if isinstance(found, Rejection):
                rejection_id = str(uuid7())
                decisions.rejections.append((rejection_id, report, item, found))
                decisions.endings.append(Ending(report.entry, item, "rejected", rejection_id=rejection_id))
                continue
            identity = (found.network, found.provider_alert_id)
            alert = alerts.get(identity)
            if alert is None:
                alert = alerts[identity] = store_alert(found, report, claimed[identity], decisions, keyring)
                ending: EndingName = "stored"
            else:
                ending = revise_alert(alert, found, report, decisions, keyring)
                if alert.id not in decisions.stored:
                    decisions.changed[alert.id] = alert
            decisions.endings.append(Ending(report.entry, item, ending, alert.id))
    return decisions


def store_alert(message: Message, report: Report, alert_id: str, decisions: Decisions, keyring: Keyring) -> Alert:
    """Make the alert of which this is the first message."""
    alert = Alert(
        id=alert_id,
        network=message.network,
        provider_alert_id=message.provider_alert_id,
        source=message.source,
        kind=message.kind or "other",
        status="open",
        received_at=received_at(report),
        seen=[fingerprint(message, keyring)],
        standing={"as_of": {}, "own": [], "status_from": None, "kind_from": None},
    )
    apply_message(alert, message, moment_of(message, report), newer=True)
    decisions.stored[alert.id] = alert
    decisions.tell("alert.created", alert, report.origin)
    if alert.status in CLOSED_STATUSES or message.event == "alert.resolved":
        decisions.tell("alert.resolved", alert, report.origin)
    return alert


def revise_alert(alert: Alert, message: Message, report: Report, decisions: Decisions, keyring: Keyring) -> EndingName:
    """Let one more message change the alert as far as the rules allow, and say how the message ended."""
    decisions.keep_told(alert)
    mark = fingerprint(message, keyring)
    if mark in alert.seen:
        alert.duplicates += 1
        alert.repaired |= message.repaired
        return "duplicate"
    alert.seen.append(mark)
    moment = moment_of(message, report)
    as_of = alert.standing["as_of"].get(message.source)
    newer = as_of is None or moment >= as_of
    if as_of is not None and as_of[1] and message.event == "alert.created" and message.sent_at is None:
        newer = False
    was_closed = alert.status in CLOSED_STATUSES
    changes = apply_message(alert, message, moment, newer=newer)
    if changes:
        alert.revision += 1
        request_id = report.envelope.request_id if report.envelope else ""
        decisions.revisions.append(Revision(alert.id, alert.revision, message.source, request_id, changes))
        closes = alert.status in CLOSED_STATUSES or (message.event == "alert.resolved" and "status" in changes)
        resolved = closes and not was_closed
        decisions.tell("alert.resolved" if resolved else "alert.updated", alert, report.origin)
    return "updated" if newer else "superseded"


def moment_of(message: Message, report: Report) -> list[Any]:
    """Where a message stands among those of its source: [time, 1 for a resolution], a list since it is kept as JSON."""
    return [message.sent_at or received_at(report), int(message.event == "alert.resolved")]


def received_at(report: Report) -> str:
    """When the door received the push, as ISO text."""
    milliseconds = report.envelope.received_at if report.envelope else report.entry.entered_at
    return iso_milliseconds(milliseconds)


def fingerprint(message: Message, keyring: Keyring) -> str:
    """Tell this content of this source apart from all others, without keeping it."""
    return keyring.fingerprint(message.source.encode() + b"\0" + content_of(message)).hex()
