"""Notices: what downstream services are told about the intake itself (`intake.*`). See docs/subscriptions.md."""

from collections.abc import Mapping
from typing import Any

import msgspec


def notice_body(event: str, occurred_at: str, payload: Mapping[str, Any]) -> bytes:
    """Return the body of a delivery about no alert: {"event", "timestamp", "payload"} as JSON."""
    return msgspec.json.encode({"event": event, "timestamp": occurred_at, "payload": payload})


def subscription_payload(subscription_id: str, name: str, state: str, why: str) -> dict[str, Any]:
    """Return the payload of `intake.subscription.*`. `state`: "active", "paused", or "tripped" (paused by failures)."""
    return {"id": subscription_id, "name": name, "state": state, "why": why}


def books_payload(incarnation: str | None, missing: int, orphaned: int) -> dict[str, Any]:
    """Return the payload of `intake.books.unbalanced`: of one incarnation of the journal, counted in entries."""
    return {"incarnation": incarnation, "missing": missing, "orphaned": orphaned}
