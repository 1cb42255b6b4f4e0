"""Notices: what is told about the intake itself (`intake.*`), when, and in which bodies. See docs/subscriptions.md."""

from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.section import Section

DAY = 86_400.0


class Notices(Section, frozen=True):
    """When something is told. `expiring_before`: seconds before `respond_by` at which an open alert is told of."""

    expiring_before: float = 4 * 3600.0

    def __post_init__(self) -> None:
        """Refuse what would tell of nothing, or of everything."""
        if not 0 < self.expiring_before <= 30 * DAY:
            raise ValueError("expiring_before: more than 0, 30 days (2592000) at most")


def notice_body(event: str, occurred_at: str, payload: Mapping[str, Any]) -> bytes:
    """Return the body of a delivery about no alert: {"event", "timestamp", "payload"} as JSON."""
    return msgspec.json.encode({"event": event, "timestamp": occurred_at, "payload": payload})


def subscription_payload(subscription_id: str, name: str, state: str, why: str) -> dict[str, Any]:
    """Return the payload of `intake.subscription.*`. `state`: "active", "paused", or "tripped" (paused by failures)."""
    return {"id": subscription_id, "name": name, "state": state, "why": why}


def books_payload(incarnation: str | None, missing: int, orphaned: int) -> dict[str, Any]:
    """Return the payload of `intake.books.unbalanced`: of one incarnation of the journal, counted in entries."""
    return {"incarnation": incarnation, "missing": missing, "orphaned": orphaned}
