"""Merge: what one more message may change in an alert. Pure.

- facts: what the network's own door said is not overridden by a reseller
- status: only a message that carries one changes it; a reseller's outranks the network's own door
- an older message fills empty fields only, and nothing that is missing ever erases

`standing`, kept with the alert, says who said what: `own` (facts from the network's own door), `status_from` and
`kind_from` ("own" or "reseller"), `as_of` (how far each source has spoken).
"""

from dataclasses import asdict
from typing import Any

from schemas.alert.alert import Alert, Message

MAX_PROBLEMS = 50


def apply_message(alert: Alert, message: Message, moment: list[Any], *, newer: bool) -> dict[str, list[Any]]:
    """Merge a message into the alert. Return what changed: field -> [before, after]."""
    standing = alert.standing
    changes: dict[str, list[Any]] = {}
    if alert.facts:
        merge_facts(alert, message, changes, newer=newer)
    else:  # nothing that could stand against it
        alert.facts.update(message.facts)
        changes.update({name: [None, value] for name, value in message.facts.items()})
        standing["own"] = sorted(message.facts) if message.own_door else []
    if newer:
        standing["as_of"][message.source] = moment
    apply_status(alert, message, changes, newer=newer)
    apply_kind(alert, message, changes, newer=newer)
    if message.repaired and not alert.repaired:
        alert.repaired = True
        changes["repaired"] = [False, True]
    for problem in message.problems:
        listed = asdict(problem)
        if listed not in alert.problems and len(alert.problems) < MAX_PROBLEMS:
            alert.problems.append(listed)
    return changes


def merge_facts(alert: Alert, message: Message, changes: dict[str, list[Any]], *, newer: bool) -> None:
    """A newer message changes facts, an older one fills empty ones; what the network's own door said stands."""
    own = set(alert.standing["own"])
    for name, value in message.facts.items():
        before = alert.facts.get(name)
        allowed = newer or name not in own if message.own_door else name not in own and (newer or before is None)
        if not allowed:
            continue
        if message.own_door:
            own.add(name)
        if before != value:
            alert.facts[name] = value
            changes[name] = [before, value]
    alert.standing["own"] = sorted(own)


def apply_status(alert: Alert, message: Message, changes: dict[str, list[Any]], *, newer: bool) -> None:
    """A status is taken only from a message that carries one; a reseller's outranks the network's own door."""
    if message.status is None:
        return
    said_by = alert.standing["status_from"]
    if message.own_door:
        allowed = said_by != "reseller" and (newer or said_by is None)
    else:
        allowed = newer or said_by != "reseller"
    if not allowed:
        return
    alert.standing["status_from"] = "own" if message.own_door else "reseller"
    if alert.status != message.status:
        changes["status"] = [alert.status, message.status]
        alert.status = message.status


def apply_kind(alert: Alert, message: Message, changes: dict[str, list[Any]], *, newer: bool) -> None:
    """The kind is a fact: the network's own door outranks a reseller."""
    if message.kind is None:
        return
    said_by = alert.standing["kind_from"]
    allowed = newer or said_by != "own" if message.own_door else said_by != "own" and (newer or said_by is None)
    if not allowed:
        return
    alert.standing["kind_from"] = "own" if message.own_door else "reseller"
    if alert.kind != message.kind:
        changes["kind"] = [alert.kind, message.kind]
        alert.kind = message.kind
