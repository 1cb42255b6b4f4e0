"""How subscriptions are: what waits for each, since when, and the latest deliveries. Every look goes by index."""

from typing import Any

from console.connections import Database
from console.outbox import HELD, LEASED

BOUND = 10_000
SHOWN = 25


def list_health(database: Database, limit: int = 500) -> list[dict[str, Any]]:
    """Return subscriptions by name, those that do not flow first.

    due, given_up  how many deliveries, at most BOUND + 1
    late           seconds that the first of those due has been due for; None when nothing is late
    last_at, last_status, last_error, last_milliseconds  of the last attempt
    """
    return database.execute(SELECT_HEALTH, {"bound": BOUND + 1, "limit": limit}, prepare=False).fetchall()


def list_latest(database: Database, subscription_id: str, state: str | None = None) -> list[dict[str, Any]]:
    """Return the latest deliveries of a subscription, each with its last attempt; only those in `state` if named."""
    statement = SELECT_LATEST.format(condition="AND o.state = %(state)s" if state else "")
    values = {"id": subscription_id, "state": state, "limit": SHOWN}
    return database.execute(statement.encode(), values, prepare=False).fetchall()


LAST = "a.attempted_at AS last_at, a.status AS last_status, a.error AS last_error, a.milliseconds AS last_milliseconds"
# The last attempt is looked for between two ends of the index, not by equality: then no other index looks as if it gave
# it, such as that of all attempts from the latest on, which is read to its end for a subscription that never had one.
SELECT_HEALTH = f"""
    SELECT s.id, s.name, s.url, s.state, s.description, s.failures, s.failing_since, s.probe_at, due.due, due.late,
           given_up.given_up, latest.*
    FROM subscriptions s
    CROSS JOIN LATERAL (
        SELECT count(*) AS due, greatest(extract(epoch FROM now() - min(due_at))::double precision, 0) AS late
        FROM (SELECT due_at FROM outbox WHERE subscription_id = s.id AND state = 'due'
              ORDER BY due_at, position LIMIT %(bound)s) first
    ) due
    CROSS JOIN LATERAL (
        SELECT count(*) AS given_up
        FROM (SELECT FROM outbox WHERE subscription_id = s.id AND state = 'given_up' LIMIT %(bound)s) few
    ) given_up
    LEFT JOIN LATERAL (
        SELECT {LAST} FROM attempts a
        WHERE (a.subscription_id, a.attempted_at) BETWEEN (s.id, '-infinity'::timestamptz) AND (s.id, 'infinity')
        ORDER BY a.subscription_id DESC, a.attempted_at DESC LIMIT 1
    ) latest ON true
    ORDER BY s.state = 'active', s.name LIMIT %(limit)s
"""  # noqa: S608 - of constants
SELECT_LATEST = f"""
    SELECT o.id, o.state, o.alert_id, o.attempts, o.due_at, o.created_at, o.ended_at, v.type AS event,
           {LEASED} AS leased, {HELD} AS held, last.*
    FROM (SELECT * FROM outbox o WHERE o.subscription_id = %(id)s {{condition}} ORDER BY o.id DESC LIMIT %(limit)s) o
    JOIN events v ON v.id = o.event_id
    LEFT JOIN LATERAL (
        SELECT {LAST} FROM attempts a WHERE a.outbox_id = o.id ORDER BY a.attempted_at DESC LIMIT 1
    ) last ON true
    ORDER BY o.id DESC
"""  # noqa: S608 - of constants
