"""One thing looked at, and the two that are looked at in several places: how long something lasts, and clocks."""

from dataclasses import dataclass
from datetime import UTC, datetime

DAYS_LEFT = 14
CLOCK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `found` is what is there, and when it is not well, what to do."""

    name: str
    well: bool
    found: str


def check_expiry(name: str, ends: datetime, days_needed: int = DAYS_LEFT) -> Check:
    """Check that something is valid for long enough."""
    days = (ends - datetime.now(UTC)).total_seconds() / 86400
    return Check(name, days > days_needed, f"{days:.0f} days left" + ("; renew it" if days <= days_needed else ""))


def check_clock(name: str, theirs: datetime) -> Check:
    """Check that a server's clock and ours agree within two seconds."""
    apart = abs((theirs - datetime.now(UTC)).total_seconds())
    well = apart < CLOCK_SECONDS
    return Check(name, well, f"{apart:.2f} s apart" + ("" if well else "; let both hosts use NTP"))
