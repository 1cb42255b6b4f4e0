"""Events: what downstream services may be told, and how a subscription says which of it wants.

`alert.*` is what an alert's network has said of it. `intake.*` is what the intake itself has to say, and goes only to
who asks for it by that name: a service that takes every event of every alert need not understand it.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase

ALERT_EVENTS = ("alert.created", "alert.resolved", "alert.updated")
EXPIRING = "intake.alert.expiring"
PAUSED = "intake.subscription.paused"
RESUMED = "intake.subscription.resumed"
UNBALANCED = "intake.books.unbalanced"
EVENTS = (*ALERT_EVENTS, EXPIRING, PAUSED, RESUMED, UNBALANCED)
INTAKE_PREFIX = "intake."
DEFAULT_EVENTS = ("alert.created", "alert.resolved")


def check_events(events: Iterable[str]) -> tuple[str, ...]:
    """Return the events wanted, each once; ``*`` stands for any text. Raises ValueError for one that cannot happen."""
    wanted = tuple(dict.fromkeys(events))
    for event in wanted:
        if not any(wants_event([event], name) for name in EVENTS):
            raise ValueError(f"event {event!r}: one of {', '.join(EVENTS)}, or a pattern such as alert.*")
    if not wanted:
        raise ValueError("events: at least one is needed")
    return wanted


def wants_event(events: Iterable[str], event: str) -> bool:
    """Say whether a subscription with these `events` gets `event`. ``*`` alone does not stand for ``intake.*``."""
    patterns = (
        pattern for pattern in events if pattern.startswith(INTAKE_PREFIX) or not event.startswith(INTAKE_PREFIX)
    )
    return any(fnmatchcase(event, pattern) for pattern in patterns)
