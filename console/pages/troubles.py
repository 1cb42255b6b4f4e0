"""What is wrong, most serious first, and what to do about each. Pure: the page says only what was found elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from console.books.present import BOUND
from console.books.workers import POOLS
from console.pages.certificates import Certificate
from console.pages.standing import Standing
from console.pages.words import say_count, say_span

LATE_SECONDS = 60.0  # that an entry waits in the journal, or a delivery beyond its time
DAYS_WARNED = 30
DAYS_URGENT = 7


Level = Literal["bad", "warn"]
Link = tuple[str, str]  # endpoint, label

REJECTIONS: Link = ("page.rejections", "Rejections")
SUBSCRIPTIONS: Link = ("page.subscriptions", "Subscriptions")


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong. `advice` says what to do; `command` or `link` does it."""

    level: Level
    what: str
    advice: str
    command: str | None = None
    link: Link | None = None


def find_troubles(standing: Standing) -> list[Trouble]:
    """Return what is wrong, the serious first."""
    found = [
        *check_servers(standing),
        *check_books(standing),
        *check_pools(standing),
        *check_present(standing.present or {}),
        *check_certificates(standing.certificates),
    ]
    return sorted(found, key=lambda trouble: trouble.level != "bad")


def check_servers(standing: Standing) -> Iterator[Trouble]:
    """Yield what is wrong with the journal and the database."""
    if standing.stream is None:
        yield Trouble(
            "bad",
            "The journal does not answer.",
            "The door refuses every push until it does; senders come again. See to the Redis of JOURNAL_URL.",
            "alert-intake doctor",
        )
    elif standing.stream["full"]:
        reached = ", ".join(standing.stream["full"])
        yield Trouble(
            "bad",
            f"The journal is full ({reached}): the door refuses pushes.",
            "It takes them again once drains have made room. Start more drain workers.",
            "celery -A workers.app worker -Q drain -P prefork -c 4",
        )
    if standing.present is None:
        yield Trouble(
            "bad",
            "The database does not answer.",
            "Pushes are still kept, in the journal; nothing is stored or delivered. See to the server of DATABASE_URL.",
            "alert-intake doctor",
        )


def check_books(standing: Standing) -> Iterator[Trouble]:
    """Yield what is wrong with the books."""
    if standing.books is not None and not standing.books["balanced"]:
        yield Trouble(
            "bad",
            "The books do not balance: entries are unaccounted for.",
            "Find out which: the command names the accounts, and with the door's log every request without an ending.",
            "alert-intake audit --acks DOOR.LOG",
        )
    if standing.stale():
        yield Trouble(
            "warn",
            "Books, workers and plots have not been looked at for a minute.",
            "The console's log says why (not_seen, lookout_failed). Restart the console if nothing else helps.",
        )


def check_pools(standing: Standing) -> Iterator[Trouble]:
    """Yield which pools have no worker that lives, and where work waits too long."""
    commands = {"drain": "-Q drain -P prefork -c 2", "forward": "-Q forward -P threads -c 2"}
    commands["enrich"] = "-Q enrich -P threads -c 2"
    wanted = [pool for pool in POOLS if pool != "enrich" or standing.remote]
    for pool in [] if standing.stale() else wanted:
        if not standing.pool_lives(pool):
            yield Trouble(
                "bad",
                f"No {pool} worker lives.",
                WITHOUT[pool],
                f"celery -A workers.app worker {commands[pool]} -n {pool}@%h",
            )
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
    elif (present.get("late") or 0) > LATE_SECONDS:
        what = f"Deliveries are {say_span(present['late'])} late."
        yield Trouble("warn", what, "See which service is slow, or start more forward workers.", link=SUBSCRIPTIONS)
    if present.get("given_up"):
        what = f"{counted(present['given_up'], 'delivery', 'deliveries')} given up."
        yield Trouble("warn", what, "Every attempt failed. Once the service is well, retry them.", link=SUBSCRIPTIONS)
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
            advice = "Put the new one in its place; the door reads it again without a restart."
            level: Level = "bad" if one.days < DAYS_URGENT else "warn"
            yield Trouble(level, f"{one.name} {left}.", advice, "alert-intake doctor")


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun; more than the bound of what is counted says so."""
    if count > BOUND:
        return f"More than {say_count(BOUND)} {many or one + 's'}"
    return f"{say_count(count)} {one if count == 1 else many or one + 's'}"


WITHOUT = {
    "drain": "Pushes are still kept, in the journal, and nothing is stored. Start one.",
    "forward": "Alerts are stored, and nothing is delivered. Start one.",
    "enrich": "Alerts go out later, and without what remote enrichers would add. Start one.",
}
