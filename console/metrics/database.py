"""What the database says is due, failing or rejected. Every count is capped, so that looking stays cheap."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import Metric

from console.connections import Database
from console.metrics.gauges import gauge, gauges

STATES = ("active", "tripped", "paused")
REASONS = ("unreadable", "no_alert_id", "unknown_source", "unsealable", "poisoned", "unstorable")
MOST_COUNTED = 100_000
MOST_SUBSCRIPTIONS = 200
SECONDS = "5s"


def measure_database(database: Database) -> Iterator[Metric]:
    """Measure it, in one transaction. Raises what psycopg raises."""
    with database.transaction():
        database.execute(f"SET LOCAL statement_timeout = '{SECONDS}'")
        subscriptions = database.execute(SELECT_SUBSCRIPTIONS).fetchall()
        rejections = database.execute(COUNT_REJECTIONS).fetchall()
        (enrichments,) = database.execute(SELECT_ENRICHMENTS).fetchall()
    states = {(row["name"], state): float(row["state"] == state) for row in subscriptions for state in STATES}
    yield gauges("subscription_state", "1 for the state it is in", ("subscription", "state"), states)
    for name, text, column in (
        ("subscription_failures", "Failed attempts since the last success", "failures"),
        ("outbox_due_items", f"Items that are not delivered yet, {MOST_COUNTED} at most", "due"),
        ("outbox_overdue_seconds", "For how long the first item has been due", "overdue"),
        ("outbox_given_up_items", f"Items given up and still kept, {MOST_COUNTED} at most", "given_up"),
    ):
        yield gauges(name, text, ("subscription",), {(row["name"],): float(row[column]) for row in subscriptions})
    text = "For how long the first alert has been due that no enrich worker has taken, 0 without any"
    yield gauge("enrichments_overdue_seconds", text, enrichments["overdue"])
    found = Counter({row["reason"]: row["n"] for row in rejections})
    text = f"Rejections that nobody has dealt with, {MOST_COUNTED} at most"
    reasons = {(reason,): float(found[reason]) for reason in {*REASONS, *found}}
    yield gauges("open_rejections", text, ("reason",), reasons)


SELECT_SUBSCRIPTIONS = f"""
    SELECT s.name, s.state, s.failures,
           (SELECT count(*) FROM (
               SELECT FROM outbox o WHERE o.subscription_id = s.id AND o.state = 'due' LIMIT {MOST_COUNTED}) d) AS due,
           (SELECT count(*) FROM (
               SELECT FROM outbox o WHERE o.subscription_id = s.id AND o.state = 'given_up' LIMIT {MOST_COUNTED}) g
           ) AS given_up,
           greatest(0, extract(epoch FROM now() - coalesce((
               SELECT o.due_at FROM outbox o WHERE o.subscription_id = s.id AND o.state = 'due'
               ORDER BY o.due_at, o.position LIMIT 1), now())))::double precision AS overdue
    FROM subscriptions s ORDER BY s.state = 'active', s.failures = 0, s.name LIMIT {MOST_SUBSCRIPTIONS}
"""  # noqa: S608 - of constants
COUNT_REJECTIONS = f"""
    SELECT reason, count(*) AS n
    FROM (SELECT reason FROM rejections WHERE state = 'open' ORDER BY rejected_at, id LIMIT {MOST_COUNTED}) r
    GROUP BY reason
"""  # noqa: S608 - of constants
# What is leased or asked about again later is due in the future.
SELECT_ENRICHMENTS = """
    SELECT coalesce(greatest(0, extract(epoch FROM now() - min(due_at))), 0)::double precision AS overdue
    FROM enrichments
"""
