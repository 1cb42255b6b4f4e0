"""How `alert-intake status` reports: for programs, and as rows for people."""

from datetime import datetime
from typing import Any

from console.books.audit import MOST_WAITING
from console.books.present import BOUND
from console.books.workers import POOLS, Worker


def show_present(present: dict[str, Any]) -> dict[str, Any]:
    """Return what the database holds as programs read it. `late` is in seconds, None when nothing is due by now."""
    return {
        "alerts": present["stored"],
        "outbox": {name: present[name] for name in ("due", "late", "given_up")},
        "subscriptions_halted": present["halted"],
        "open_rejections": present["open"],
    }


def show_worker(worker: Worker, now: datetime) -> dict[str, Any]:
    """Return a worker as programs read it. `silent` is in seconds."""
    silent = round(worker.silent(now), 1)
    return {
        "pool": worker.pool, "name": worker.name, "lives": worker.lives(now), "silent": silent,
        "pending": worker.pending,
    }  # fmt: skip


def list_rows(report: dict[str, Any], *, remote: bool) -> list[tuple[str, object]]:
    """Return the report as rows for people."""
    journal = report["journal"]
    share = journal["memory_share"]
    rows: list[tuple[str, object]] = [
        ("journal: entries", journal["entries"]),
        ("journal: of these in hand", journal["pending"]),
        ("journal: oldest, seconds", journal["oldest_age"]),
        (
            "journal: memory",
            "no limit set" if share is None else f"{share:.1%}, refusing from {journal['refuses_at_share']:.0%}",
        ),
        *(("journal: at its limit, the door refuses", setting) for setting in journal["full"]),
        *((f"queue {name}: ticks", length) for name, length in report["queues"].items()),
        *(
            (f"{pool} workers alive", sum(one["lives"] for one in report["workers"] if one["pool"] == pool))
            for pool in POOLS
            if remote or pool != "enrich"
        ),
    ]
    if "alerts" in report:
        rows.append(("alerts stored", report["alerts"]))
        rows += [(f"endings: {name}", count) for name, count in report["endings"].items()]
        rows += [
            ("deliveries due", bounded(report["outbox"]["due"])),
            ("deliveries: the first late by, seconds", report["outbox"]["late"]),
            ("deliveries given up", bounded(report["outbox"]["given_up"])),
            ("subscriptions paused or tripped", report["subscriptions_halted"]),
            ("rejections open", bounded(report["open_rejections"])),
        ]
    rows += [
        (f"back-fill of {one['name']}: done", f"{one['done'] / one['until']:.1%}, {one['done']} of {one['until']}")
        for one in report["backfills"]
    ]
    missing = report["pending_migrations"]
    if "alerts" in report:
        balance = report["books_balanced"]
        rows.append(
            ("books balance", f"not audited: more than {MOST_WAITING} entries wait" if balance is None else balance)
        )
    rows.append(
        ("migrations", f"missing: {', '.join(missing)}; run `alert-intake migrate`" if missing else "all applied")
    )
    return rows


def bounded(count: int) -> str:
    """Return a number that was counted up to a bound."""
    return f"more than {BOUND}" if count > BOUND else str(count)
