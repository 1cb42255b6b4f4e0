"""What downstream services receive: the reseller's documented webhook, and `enrichment` beside its payload.

The payload has exactly the 46 documented keys, so that a consumer that refuses unknown ones still reads it; what the
pipeline adds stands in one more object of the envelope, where only a consumer that looks for it finds it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas.alert.alert import Alert
from schemas.alert.presented import present_amount
from schemas.alert.times import hours_until
from schemas.downstream.payload_keys import ENRICHMENT, FACT_KEYS, SAID_AGAIN


def forward_body(
    alert: Alert,
    event: str,
    occurred_at: str,
    now: datetime | None = None,
    leave_out: Iterable[str] = (),
    contact: str | None = None,
) -> bytes:
    """Return the body of a delivery: {"event", "timestamp", "payload", "enrichment"} as JSON.

    event        "alert.created", "alert.resolved" or "alert.updated"
    occurred_at  when it happened, UTC ISO 8601: `timestamp`, and the payload's `updatedAt`
    now          the moment from which `hoursLeft` is counted; by default the present one
    leave_out    names as `check_leave_out` admits them: keys of the payload go out as null, others not at all
    contact      `descriptorContact`, personal data, for a subscription that gets it
    """
    payload = payload_of(alert, occurred_at, now or datetime.now(UTC)) | {"descriptorContact": contact}
    enrichment = enrichment_of(alert)
    for name in leave_out:
        if name in payload:
            payload[name] = None
            for again in SAID_AGAIN.get(name, ()):
                enrichment.pop(again, None)
        elif name == ENRICHMENT:
            enrichment = {}
        else:
            enrichment.pop(name.removeprefix(ENRICHMENT + "."), None)
    return msgspec.json.encode({"event": event, "timestamp": occurred_at, "payload": payload, "enrichment": enrichment})


def payload_of(alert: Alert, occurred_at: str, now: datetime) -> dict[str, Any]:
    """Return the 46 documented keys. All are there; what is unknown or withheld (`descriptorContact`) is null."""
    payload: dict[str, Any] = {key: alert.facts.get(fact) for key, fact in FACT_KEYS.items()}
    return payload | {
        "id": alert.id,
        "providerId": alert.provider_alert_id,
        "provider": alert.network.upper(),
        "type": type_of(alert),
        "status": alert.status.upper(),
        "descriptorContact": None,
        "amount": present_amount(alert, "amount"),
        "chargebackAmount": present_amount(alert, "chargeback_amount"),
        "createdAt": alert.received_at,
        "updatedAt": occurred_at,
        "hoursLeft": None if alert.respond_by is None else hours_until(alert.respond_by, now),
    }


def type_of(alert: Alert) -> str:
    """Return the type in the documented spelling (ETHOCA_CONFIRMED_FRAUD), whichever door the alert came through.

    Of a kind that is not known the sender's own word goes on.
    """
    derived = f"{alert.network}_{alert.kind}".upper()
    return alert.facts.get("type", derived) if alert.kind == "other" else derived


def enrichment_of(alert: Alert) -> dict[str, Any]:
    """Return what the documented payload has no place for. What enrichers added stands under its own names.

    What is still `pending` when an alert goes out has failed: it was waited for as long as it may be.
    """
    added = dict(alert.enrichment)
    pending = added.pop("pending", ())
    if pending:
        added["failed"] = [*added.get("failed", ()), *pending]
    return added | {
        "kind": alert.kind,
        "source": alert.source,
        "revision": alert.revision,
        "duplicates": alert.duplicates,
        "repaired": alert.repaired,
        "card_network": alert.card_network,
        "respond_by": alert.respond_by,
        "related": alert.related,
        "member_id": alert.facts.get("member_id"),
        "is_3d_secure": alert.facts.get("is_3d_secure"),
        "problems": len(alert.problems),
    }
