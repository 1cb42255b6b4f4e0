"""The door, asked at the platform's listener: whether it takes alerts, and the client certificates that it has seen."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import requests

from console.diagnosis.check import DAYS_LEFT, Check
from schemas.settings.sources import Source
from schemas.telemetry.sightings import Sighting, read_sightings

SECONDS = 5.0


def check_door(platform_url: str | None, sources: Iterable[Source]) -> Iterator[Check]:
    """Check the door whose platform listener has this address (``PLATFORM_URL``); it need not be known."""
    if not platform_url:
        yield Check("door", True, "not asked; PLATFORM_URL names its plain listener, such as http://127.0.0.1:8081")
        return
    with requests.Session() as session:
        session.trust_env = False
        try:
            ready = session.get(f"{platform_url.rstrip('/')}/readyz", timeout=SECONDS)
            counted = session.get(f"{platform_url.rstrip('/')}/metrics", timeout=SECONDS)
            counted.raise_for_status()
            sightings = read_sightings(counted.text)
        except (requests.RequestException, ValueError) as error:  # ValueError: these are no metrics
            why = f"the platform's listener does not answer ({type(error).__name__}); start it, or mend PLATFORM_URL"
            yield Check("door", False, why)
            return
    yield Check("door", ready.ok, "takes alerts" if ready.ok else "refuses alerts; what is not well above, and /readyz")
    yield from check_sightings(sightings, sources)


def check_sightings(sightings: Iterable[Sighting], sources: Iterable[Source]) -> Iterator[Check]:
    """Check, for each source that shows a certificate, when that was and how long it lasts."""
    seen = {sighting.source: sighting for sighting in sightings}
    for source in sources:
        if source.certificate != "required":
            continue
        name = f"client certificate of {source.name}"
        sighting = seen.get(source.name)
        if sighting is None:
            yield Check(name, True, "none seen since the door was started")
            continue
        days = (sighting.expires_at - datetime.now(UTC)).total_seconds() / 86400
        soon = "" if days > DAYS_LEFT else "; ask the sender for its next one, and pin that as well"
        yield Check(name, not soon, f"last seen {show_ago(sighting.seen_at)}, {days:.0f} days left{soon}")


def show_ago(moment: datetime) -> str:
    """Return how long ago a moment was, in the unit that people would choose."""
    seconds = max(0.0, (datetime.now(UTC) - moment).total_seconds())
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} seconds ago"
