"""Entries that break whoever works on them, in the middle of a batch of 500 good ones: only they are rejected."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.e2e.bodies import dispute, fresh_id
from tests.e2e.sender import Sender
from tests.faults.journals import stopped
from tests.faults.load import Ledger, Load, Push
from tests.faults.poison.sitecustomize import MARKER
from tests.faults.site import DRAIN, Site

GOOD = 500
SENDERS = 10


@dataclass(frozen=True, slots=True)
class Poison:
    """What an alert is poisoned with, and the reason by which it must be rejected.

    `refusal` is what makes PostgreSQL refuse it, and `end` what removes that: an operator's own constraint or index.
    `kills`: it kills the process that works on it.
    """

    name: str
    reason: str
    issuer: str
    refusal: str = ""
    end: str = ""
    kills: bool = False

    @contextlib.contextmanager
    def at_work(self, site: Site) -> Iterator[None]:
        """Let it be poisonous for the time of the block."""
        with site.database() as database:
            if self.refusal:
                database.execute(self.refusal.encode())
            try:
                yield
            finally:
                if self.end:
                    database.execute(self.end.encode())


# PostgreSQL compresses what it indexes: characters without a pattern, four bytes each, so that it cannot.
UNINDEXABLE = "".join(chr(0x10000 + number * 7919 % 0xFFFF0) for number in range(1000))

POISONS = [
    Poison("an entry that kills its process, in 500", "poisoned", MARKER, kills=True),
    Poison(
        "a row against a constraint, in 500",
        "unstorable",
        "REFUSED",
        "ALTER TABLE alerts ADD CONSTRAINT fault CHECK (issuer <> 'REFUSED') NOT VALID",
        "ALTER TABLE alerts DROP CONSTRAINT fault",
    ),
    Poison(
        "a row too large for an index, in 500",
        "unstorable",
        UNINDEXABLE,
        "CREATE INDEX fault ON alerts (issuer)",
        "DROP INDEX fault",
    ),
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
        push_part([Push(dispute(alert_id, issuer=poison.issuer), ())])
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
