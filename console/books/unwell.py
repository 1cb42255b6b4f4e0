"""What is not well while work waits, one line each, for whoever asks from a command. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.books.present import LATE_SECONDS
from console.books.workers import Worker


@dataclass(frozen=True, slots=True)
class Found:
    """How things were found, at a moment.

    journal   console.books.backlog.measure_stream
    present   console.books.present.count_present; None before there are tables
    balanced  whether the books balance; None when they were not audited
    remote    whether enrichers are configured that the enrich workers ask
    """

    at: datetime
    journal: dict[str, Any]
    present: dict[str, Any] | None
    workers: Sequence[Worker]
    balanced: bool | None
    remote: bool

    def lives(self, pool: str) -> bool:
        """Tell whether a worker of the pool lives."""
        return any(worker.pool == pool and worker.lives(self.at) for worker in self.workers)


def list_unwell(found: Found) -> list[str]:
    """Return what is wrong, nothing when all is well. A pool without a worker is wrong while something waits for it."""
    return [*judge_journal(found), *judge_deliveries(found, found.present or {})]


def judge_journal(found: Found) -> Iterator[str]:
    """Yield what is wrong with what comes in."""
    if found.journal["full"]:
        yield f"the journal is full ({', '.join(found.journal['full'])}): the door refuses pushes"
    if found.balanced is False:
        yield "the books do not balance: `alert-intake audit` says by how much"
    if found.journal["entries"] and not found.lives("drain"):
        yield "entries wait in the journal and no drain worker lives: start one"
    elif (found.journal["oldest_age"] or 0) > LATE_SECONDS:
        yield f"the oldest entry has waited {found.journal['oldest_age']:.0f} seconds in the journal: drains are behind"


def judge_deliveries(found: Found, present: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with what goes out."""
    if present.get("halted"):
        yield f"subscriptions are paused or tripped, {present['halted']}: `alert-intake subscriptions list`"
    if present.get("due") and not found.lives("forward"):
        yield "deliveries are due and no forward worker lives: start one"
    elif (present.get("late") or 0) > LATE_SECONDS:
        yield f"deliveries are {present['late']:.0f} seconds late: `alert-intake deliveries list --state due`"
    if present.get("due") and found.remote and not found.lives("enrich"):
        yield "deliveries are due and no enrich worker lives, so they go out late and marked: start one"
