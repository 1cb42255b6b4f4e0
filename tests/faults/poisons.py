"""Entries that break whoever works on them, in the middle of a batch of 500 good ones: only they are rejected."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.e2e.bodies import dispute, fresh_id
from tests.e2e.sender import Sender
from tests.faults.journals import stopped
from tests.faults.load import Ledger, Load, Push
from tests.faults.poison.sitecustomize import MARKER
from tests.faults.site import DRAIN, Site

GOOD = 500
SENDERS = 10
REJECTED_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Poison:
    """What is wrong with an alert, and the reason by which it must be rejected."""

    name: str
    reason: str
    fields: dict[str, Any]


# PostgreSQL compresses what it indexes: characters without a pattern, four bytes each, so that it cannot.
UNINDEXABLE = "".join(chr(0x10000 + number * 7919 % 0xFFFF0) for number in range(1000))

POISONS = [
    Poison("an entry that kills its process, in 500", "poisoned", {"issuer": MARKER}),
    Poison("a row that PostgreSQL refuses, in 500", "unstorable", {"merchantId": UNINDEXABLE}),
]


def push_poisoned(site: Site, poison: Poison) -> tuple[Ledger, str]:
    """Push one poisoned alert between good ones while the drains are stopped; return what was answered, and its id."""
    bodies = [dispute(fresh_id()) for _ in range(GOOD)]
    alert_id = fresh_id()
    pushes = [Push(body, (str(body["alertId"]),)) for body in bodies]
    load = Load(site.run)

    def push_part(part: list[Push]) -> None:
        with contextlib.closing(Sender(site.run)) as sender:
            for push in part:
                load.push(sender, push)

    with stopped(site.pids(DRAIN)), ThreadPoolExecutor(SENDERS) as threads:
        list(threads.map(push_part, [pushes[: GOOD // 2][start::SENDERS] for start in range(SENDERS)]))
        push_part([Push(dispute(alert_id, **poison.fields), ())])
        list(threads.map(push_part, [pushes[GOOD // 2 :][start::SENDERS] for start in range(SENDERS)]))
    return load.ledger, alert_id


def rejected(site: Site, ledger: Ledger) -> list[str]:
    """Return the reasons of all rejections of these pushes."""
    return [
        reason
        for (reason,) in site.query(
            "SELECT reason FROM rejections WHERE request_id = ANY(%s::uuid[])", list(ledger.acknowledged)
        )
    ]
