"""Hold: what a drain does for remote enrichers. It marks the alert, notes that they are to be asked, holds its events.

An item that is held is due all the same, later: if nobody enriches the alert by then it goes out as it is, and
`pending`, in what goes out, reads `failed`. So no enrich worker has to run for anything to be delivered.
"""

from typing import Any

from workers.database.connections import Database
from workers.enrichers.enricher import Rules
from workers.intake.outcomes import Decisions

CHANNEL = "alert_intake_enrich"


def mark_pending(decisions: Decisions, rules: Rules) -> None:
    """Mark every alert that something is told of, and what is told, as waiting for the remote enrichers. Pure."""
    if not rules.remote:
        return
    for event in decisions.events:
        alert = decisions.stored.get(event.alert.id) or decisions.changed[event.alert.id]
        for version in (alert, event.alert):
            version.enrichment = with_pending(version.enrichment, rules.remote)


def with_pending(enrichment: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return `enrichment` as it is while these enrichers are to be asked. What they added before stays until then."""
    failed = [name for name in enrichment.get("failed", ()) if name not in names]
    kept = {key: value for key, value in enrichment.items() if key not in {"failed", "pending"}}
    return kept | ({"failed": failed} if failed else {}) | {"pending": list(names)}


def hold_events(database: Database, decisions: Decisions, rules: Rules) -> None:
    """Hold the outbox items of this transaction whose alerts wait, and have the remote enrichers asked."""
    waiting = sorted({event.alert.id for event in decisions.events if event.alert.enrichment.get("pending")})
    if not waiting:
        return
    database.execute(REQUEST, {"alerts": waiting, "seconds": rules.give_up_after})
    database.execute(HOLD, {"alerts": waiting, "seconds": rules.give_up_after})
    database.execute("SELECT pg_notify(%s, '')", [CHANNEL])


# An alert that is just being enriched as it was before is enriched again: without its lease that answer is not taken.
REQUEST = """
    INSERT INTO enrichments (alert_id, give_up_at)
    SELECT unnest(%(alerts)s::uuid[]), now() + make_interval(secs => %(seconds)s)
    ON CONFLICT (alert_id) DO UPDATE
    SET attempts = 0, due_at = now(), lease = NULL, give_up_at = excluded.give_up_at
"""
# now() is the beginning of the transaction: the items that it has inserted, and no others, were created then.
HOLD = """
    UPDATE outbox SET held = true, due_at = now() + make_interval(secs => %(seconds)s)
    WHERE alert_id = ANY(%(alerts)s::uuid[]) AND created_at = now() AND state = 'due'
"""
