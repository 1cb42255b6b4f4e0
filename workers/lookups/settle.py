"""Settle: what came of the remote enrichers goes into the alert and into what is held of it, and that is let go.

Whatever is written here is written under the locks of the alerts' identities, which a drain holds while it changes
them: neither overwrites what the other has added.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from workers.database.connections import Database
from workers.database.refusals import retried_on_conflict
from workers.intake.announce import CHANNEL as DUE_CHANNEL
from workers.lookups.waiting import Waiting

Enrichment = Mapping[str, Any]


def finish(database: Database, waiting: Waiting, results: Mapping[str, dict[str, Any]], failed: Sequence[str]) -> bool:
    """Put what was added into the alert and into what is held of it, and let that go. Return False when it has changed.

    Then it has been asked for anew, and whoever leases it next asks about the alert as it is now.
    """
    with database.transaction():
        database.execute(
            "SELECT FROM identities WHERE network = %s AND provider_alert_id = %s FOR UPDATE",
            [waiting.alert.network, waiting.alert.provider_alert_id],
        )
        if database.execute(END, {"alert_id": waiting.alert.id, "lease": waiting.lease}).fetchone() is None:
            return False
        write_enrichments(database, [waiting.alert.id], lambda former: settle_enrichment(former, results, failed))
    return True


@retried_on_conflict
def settle_expired(database: Database, limit: int, late: float) -> list[list[str]]:
    """Settle up to `limit` alerts that should have been given up `late` seconds ago: what is pending has failed.

    Return the names of that for each alert. One that somebody is changing is left to the next call.
    """
    with database.transaction():
        locked = database.execute(LOCK_EXPIRED, {"limit": limit, "late": late}).fetchall()
        if not locked:
            return []
        pending = {row["alert_id"]: row["pending"] or [] for row in locked}
        ended = [row["alert_id"] for row in database.execute(END_EXPIRED, {"alerts": list(pending), "late": late})]
        write_enrichments(database, ended, lambda former: settle_enrichment(former, {}, former.get("pending", ())))
    return [pending[alert_id] for alert_id in ended]


def write_enrichments(
    database: Database, alert_ids: Sequence[str], settle: Callable[[Enrichment], dict[str, Any]]
) -> None:
    """Write what `settle` makes of the enrichment of alerts and of their held events, and let these go."""
    own = {"alerts": alert_ids}
    for select, update in ((SELECT_ALERTS, UPDATE_ALERTS), (SELECT_EVENTS, UPDATE_EVENTS)):
        rows = [
            {"id": str(row["id"]), "enrichment": settle(row["enrichment"])} for row in database.execute(select, own)
        ]
        database.execute(update, [orjson.dumps(rows).decode()])
    if database.execute(RELEASE, own).rowcount:
        database.execute("SELECT pg_notify(%s, '')", [DUE_CHANNEL])


def settle_enrichment(
    enrichment: Enrichment, results: Mapping[str, dict[str, Any]], failed: Iterable[str]
) -> dict[str, Any]:
    """Return `enrichment` with what the remote enrichers have added, and with the names of those that have not."""
    missing = [*enrichment.get("failed", ()), *failed]
    settled = {key: value for key, value in enrichment.items() if key not in {"pending", "failed", *results}}
    settled |= {name: additions for name, additions in results.items() if additions}
    return settled | ({"failed": list(dict.fromkeys(missing))} if missing else {})


END = "DELETE FROM enrichments WHERE alert_id = %(alert_id)s AND lease = %(lease)s RETURNING alert_id"
# Nobody is waited for who holds one of these rows, so that no two wait for each other in a circle.
LOCK_EXPIRED = """
    SELECT a.id::text AS alert_id, a.enrichment->'pending' AS pending
    FROM (
        SELECT alert_id FROM enrichments
        WHERE give_up_at <= now() - make_interval(secs => %(late)s) AND due_at <= now()
        ORDER BY give_up_at LIMIT %(limit)s
    ) expired
    JOIN alerts a ON a.id = expired.alert_id
    JOIN identities i ON i.network = a.network AND i.provider_alert_id = a.provider_alert_id
    FOR UPDATE OF i SKIP LOCKED FOR NO KEY UPDATE OF a SKIP LOCKED
"""
# What has been asked for anew meanwhile is not late any more.
END_EXPIRED = """
    DELETE FROM enrichments
    WHERE alert_id = ANY (%(alerts)s::uuid[]) AND due_at <= now()
      AND give_up_at <= now() - make_interval(secs => %(late)s)
    RETURNING alert_id::text
"""
SELECT_ALERTS = """
    SELECT id, enrichment FROM alerts WHERE id = ANY (%(alerts)s::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""
UPDATE_ALERTS = """
    UPDATE alerts a SET enrichment = r.enrichment, changed_at = now()
    FROM json_to_recordset(%s::json) AS r (id uuid, enrichment jsonb) WHERE a.id = r.id
"""
SELECT_EVENTS = """
    SELECT id, alert->'enrichment' AS enrichment FROM events
    WHERE alert_id = ANY (%(alerts)s::uuid[]) AND alert->'enrichment' ? 'pending' FOR NO KEY UPDATE
"""
UPDATE_EVENTS = """
    UPDATE events e SET alert = jsonb_set(e.alert, '{enrichment}', r.enrichment)
    FROM json_to_recordset(%s::json) AS r (id uuid, enrichment jsonb) WHERE e.id = r.id
"""
RELEASE = """
    UPDATE outbox SET held = false, due_at = now()
    WHERE alert_id = ANY (%(alerts)s::uuid[]) AND held AND state = 'due' AND lease IS NULL AND attempts = 0
"""
