"""What is wrong, most serious first, and what to do about each. Pure: the page says only what was found elsewhere."""

from collections.abc import Iterator
from typing import Any

from console.books.audit import MOST_WAITING
from console.books.present import BOUND, LATE_SECONDS
from console.books.workers import POOLS
from console.pages.certificates import Certificate
from console.pages.silence import check_neighbours, check_servers
from console.pages.standing import Standing
from console.pages.trouble import Level, Link, Trouble
from console.pages.words import say_count, say_span

DAYS_WARNED = 30
DAYS_URGENT = 7

REJECTIONS: Link = ("page.rejections", "Rejections")
SUBSCRIPTIONS: Link = ("page.subscriptions", "Subscriptions")


def find_troubles(standing: Standing) -> list[Trouble]:
    """Return what is wrong, the serious first."""
    found = [
        *check_servers(standing),
        *check_neighbours(standing),
        *check_books(standing),
        *check_pools(standing),
        *check_present(standing.present or {}),
        *check_certificates(standing.certificates),
    ]
    return sorted(found, key=lambda trouble: trouble.level != "bad")


def check_books(standing: Standing) -> Iterator[Trouble]:
    """Yield what is wrong with the books."""
    audited = standing.audited
    if audited.books is not None and not audited.books["balanced"]:
        yield Trouble(
            "bad",
            "The books do not balance: entries are unaccounted for.",
            "Find out which: the command names the accounts, and with the door's log every request without an ending.",
            "alert-intake audit --acks DOOR.LOG",
        )
    if standing.stale():
        yield Trouble(
            "warn",
            "Workers and plots have not been looked at for a minute.",
            "The console's log says why (not_seen, lookout_failed). Restart the console if nothing else helps.",
        )
    elif standing.books_overdue():
        since = f"for {say_span((standing.now - audited.at).total_seconds())}" if audited.at else "yet"
        why = f": more than {say_count(MOST_WAITING)} entries wait in the journal" if audited.crowded else ""
        when = "It is when fewer wait" if audited.crowded else "The console's log says why (not_seen)"
        yield Trouble(
            "warn",
            f"The books have not been audited {since}{why}.",
            f"Whether every entry is accounted for is not known. {when}; audit them now.",
            "alert-intake audit",
        )


def check_pools(standing: Standing) -> Iterator[Trouble]:
    """Yield which pools have no worker that lives, and where work waits too long."""
    wanted = [pool for pool in POOLS if pool != "enrich" or standing.remote]
    # Without the broker none of them works, and to start another would not help.
    for pool in [] if standing.stale() or standing.neighbours.broker is False else wanted:
        if not standing.pool_lives(pool):
            what, options = WITHOUT[pool]
            command = f"celery -A workers.app worker -Q {pool} {options} -n {pool}@%h"
            yield Trouble("bad", f"No {pool} worker lives.", what, command)
    oldest = (standing.stream or {}).get("oldest_age")
    if oldest is not None and oldest > LATE_SECONDS and standing.pool_lives("drain"):
        yield Trouble(
            "warn",
            f"The oldest entry has waited {say_span(oldest)} in the journal.",
            "The drains are behind. Start more of them, or see what the ones there are log.",
            "alert-intake status",
        )


def check_present(present: dict[str, Any]) -> Iterator[Trouble]:
    """Yield what is wrong with deliveries, subscriptions and rejections."""
    if present.get("halted"):
        what = f"{counted(present['halted'], 'subscription')} paused or tripped."
        yield Trouble("warn", what, "What is due to them waits. See why, then resume.", link=SUBSCRIPTIONS)
    if (present.get("late") or 0) > LATE_SECONDS:
        what = f"Deliveries are {say_span(present['late'])} late."
        yield Trouble("warn", what, "See which service is slow, or start more forward workers.", link=SUBSCRIPTIONS)
    if present.get("given_up"):
        what = f"{counted(present['given_up'], 'delivery', 'deliveries')} given up."
        yield Trouble(
            "warn",
            what,
            "Every attempt failed, or one answer was final. See which, then retry them.",
            link=SUBSCRIPTIONS,
        )
    if present.get("open"):
        what = f"{counted(present['open'], 'rejection')} open."
        yield Trouble("warn", what, "Correct and replay each, or discard it with a note.", link=REJECTIONS)


def check_certificates(certificates: list[Certificate]) -> Iterator[Trouble]:
    """Yield the certificates that end soon, or cannot be read."""
    for one in certificates:
        if one.days is None:
            yield Trouble("bad", f"{one.name}: {one.what}.", "The door needs it.", "alert-intake doctor")
        elif one.days < DAYS_WARNED:
            left = f"has {one.days:.0f} days left" if one.days >= 0 else "has ended"
            advice = OF_SENDER if one.sender else OF_OURS
            level: Level = "bad" if one.days < DAYS_URGENT and not one.sender else "warn"
            yield Trouble(level, f"{one.name} {left}.", advice, "alert-intake doctor")


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun; more than the bound of what is counted says so."""
    if count > BOUND:
        return f"More than {say_count(BOUND)} {many or one + 's'}"
    return f"{say_count(count)} {one if count == 1 else many or one + 's'}"


OF_OURS = "Put the new one in its place; the door reads it again without a restart, nginx when it is reloaded."
OF_SENDER = (
    "It is theirs to renew: ask them for the next one, and let that in as well, by its subject and its authority."
)
WITHOUT = {
    "drain": ("Pushes are still kept, in the journal, and nothing is stored. Start one.", "-P prefork -c 2"),
    "forward": ("Alerts are stored, and nothing is delivered. Start one.", "-P threads -c 2"),
    "enrich": ("Alerts go out later, and without what remote enrichers would add. Start one.", "-P threads -c 2"),
}
