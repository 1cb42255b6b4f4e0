"""The client certificates that senders came with last, as the door's metrics tell them at PLATFORM_URL."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime

import requests

from console.pages.certificates import Certificate
from schemas.telemetry.sightings import Sighting, read_sightings

SECONDS = 3.0
ASKED_EVERY = 10.0


def ask_sightings() -> list[Sighting]:
    """Ask the door's platform listener; none where PLATFORM_URL is not set.

    Raises OSError (requests.RequestException is one), or ValueError when the answer is no metrics.
    """
    platform_url = os.environ.get("PLATFORM_URL", "")
    if not platform_url:
        return []
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(f"{platform_url.rstrip('/')}/metrics", timeout=SECONDS)
        answer.raise_for_status()
        return read_sightings(answer.text)


def show_sightings(sightings: Sequence[Sighting], wanted: set[str]) -> list[Certificate]:
    """Return the certificates of the sources that must show one, as a page shows certificates."""
    now = datetime.now(UTC)
    return [
        Certificate(
            f"Client of {one.source}", (one.expires_at - now).total_seconds() / 86400,
            f"until {one.expires_at:%Y-%m-%d}, seen {one.seen_at:%Y-%m-%d}", sender=True,
        )
        for one in sightings
        if one.source in wanted
    ]  # fmt: skip
