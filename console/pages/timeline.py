"""One alert's story as steps in their order: each push and what it became, each attempt, what is to come. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from console.alerts.story import FIRST
from console.pages.words import read_moment, say_count, say_span

Tone = Literal["plain", "good", "warn", "bad", "ahead"]
ENDINGS: dict[str, tuple[Tone, str]] = {
    "stored": ("good", "Stored as a new alert"),
    "updated": ("good", "Updated the alert"),
    "duplicate": ("plain", "Known already: a duplicate"),
    "superseded": ("plain", "Older than what was known: superseded"),
    "rejected": ("bad", "Rejected"),
}
REPEATED = (408, 425, 429)  # of the refusals, and every 5xx: docs/subscriptions.md


@dataclass(frozen=True, slots=True)
class Step:
    """What happened at a moment. `changes`: field, before, after; `delivery`: the outbox item that it is about."""

    at: datetime
    tone: Tone
    what: str
    detail: str = ""
    request_id: str | None = None
    changes: list[tuple[str, Any, Any]] = field(default_factory=list)
    delivery: str | None = None


def tell_story(alert: dict[str, Any]) -> list[Step]:
    """Return the steps of an alert as `read_alert` returns it, the earliest first."""
    revisions = {revision["request_id"]: revision for revision in alert["revisions"]}
    steps = list(tell_pushes(alert["receipts"], revisions))
    if not steps:  # receipts are kept for a year or so, alerts for ever
        steps.append(Step(read_moment(alert["received_at"]), "plain", f"Received from {alert['source']}"))
    told = {step.request_id for step in steps}
    steps += [tell_revision(one) for one in alert["revisions"] if one["request_id"] not in told]
    for delivery in alert["deliveries"]:
        steps += tell_delivery(delivery)
    steps += tell_gaps(alert)
    return sorted(steps, key=lambda step: step.at)  # stable: what happened at one moment stays in its order


def tell_gaps(alert: dict[str, Any]) -> Iterator[Step]:
    """Yield a step for what is left out of each list, at the moment of the last one before."""
    for name, moment, what in GAPS:
        if alert["left_out"][name]:
            at = moment(alert[name][FIRST - 1])
            yield Step(at, "plain", f"{say_count(alert['left_out'][name])} more {what} are not shown here")


def tell_pushes(receipts: list[dict[str, Any]], revisions: dict[str, dict[str, Any]]) -> Iterator[Step]:
    """Yield two steps for each push: that it came, and what it became."""
    for receipt in receipts:
        entered = read_entry_time(receipt["entry_id"])
        received = receipt["received_at"] or entered
        yield Step(received, "plain", f"Received from {receipt['source'] or 'a source that nothing names'}",
                   f"acknowledged as journal entry {receipt['entry_id']}", receipt["request_id"])  # fmt: skip
        tone, what = ENDINGS[receipt["ending"]]
        revision = revisions.get(receipt["request_id"]) if receipt["ending"] in {"stored", "updated"} else None
        took = (receipt["settled_at"] - entered).total_seconds()
        detail = f"{say_span(max(took, 0.0))} after it was acknowledged"
        if revision is not None:
            detail += f", as revision {revision['revision']}"
        changes = list_changes(revision) if revision is not None else []
        yield Step(receipt["settled_at"], tone, what, detail, receipt["request_id"], changes)


def tell_revision(revision: dict[str, Any]) -> Step:
    """Return the step of a revision whose receipt is not kept any more."""
    what = f"Revision {revision['revision']} from {revision['source']}"
    return Step(revision["changed_at"], "good", what, "", revision["request_id"], list_changes(revision))


def list_changes(revision: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return what a revision changed: field, before, after."""
    return [(name, before, after) for name, (before, after) in sorted(revision["changes"].items())]


def tell_delivery(delivery: dict[str, Any]) -> Iterator[Step]:
    """Yield the steps of one delivery: each attempt, and what it still waits for."""
    own = str(delivery["id"])
    about = f"{delivery['event']} to {delivery['subscription']}"
    for attempt in delivery["log"]:
        well = attempt["status"] is not None and 200 <= attempt["status"] < 300
        answered = f"answered {attempt['status']}" if attempt["status"] is not None else "no answer"
        why = f": {attempt['error']}" if attempt["error"] else ""
        detail = f"attempt {attempt['number']}, {answered} in {attempt['milliseconds']:.0f} ms{why}"
        what = f"{'Delivered' if well else 'Not delivered'}: {about}"
        yield Step(attempt["attempted_at"], "good" if well else "warn", what, detail, delivery=own)
    if delivery["state"] == "given_up":
        yield Step(delivery["ended_at"] or delivery["due_at"], "bad", f"Given up: {about}",
                   say_reason(delivery["log"]), delivery=own)  # fmt: skip
    elif delivery["held"]:
        detail = "it goes out as soon as the remote enrichers have answered, and without them at this time"
        yield Step(delivery["due_at"], "ahead", f"Held for enrichment: {about}", detail)
    elif delivery["state"] == "due":
        what = f"Next attempt: {about}" if delivery["attempts"] else f"To be delivered: {about}"
        yield Step(delivery["due_at"], "ahead", what, delivery=own)


def say_reason(log: list[dict[str, Any]]) -> str:
    """Return why a delivery with these attempts, the latest last, was given up, and what to do."""
    status = log[-1]["status"] if log else None
    if status is not None and 300 <= status < 500 and status not in REPEATED:
        return f"the answer {status} is final; see to what the service refuses, then retry it"
    return "every attempt of the schedule failed; retry it when the service is well"


def read_entry_time(entry_id: str) -> datetime:
    """Return the journal's time of an entry."""
    return datetime.fromtimestamp(int(entry_id.partition("-")[0]) / 1000, UTC)


# List, the moment of one of it, what they are called.
GAPS: tuple[tuple[str, Callable[[dict[str, Any]], datetime], str], ...] = (
    ("revisions", lambda one: one["changed_at"], "revisions"),
    ("receipts", lambda one: one["settled_at"], "pushes"),
    ("deliveries", lambda one: one["created_at"], "deliveries"),
)
