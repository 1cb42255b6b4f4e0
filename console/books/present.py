"""How things stand at present, asked so that the answer takes milliseconds whatever there is of everything.

What may be many is counted up to a bound: nobody does anything else at 12,000 than at more than 10,000.
"""

from typing import Any

from console.connections import Database

BOUND = 10_000
LATE_SECONDS = 60.0  # that an entry waits in the journal, or a delivery beyond its time: longer is late


def count_present(database: Database) -> dict[str, Any]:
    """Return what there is; each number that may be large is at most BOUND + 1, which means more than BOUND.

    stored         alerts, ever (from the books' running totals)
    due            deliveries due; `late`: seconds that the first of them has been due for, of those to subscriptions
                   that are active: what is due to the others waits for those
    given_up       deliveries given up
    open           rejections that nobody has dealt with
    halted         subscriptions that are paused or tripped
    subscriptions  all of them
    """
    row = database.execute(COUNT_PRESENT, {"bound": BOUND + 1}, prepare=False).fetchone()
    return row or {}


COUNT_PRESENT = """
    SELECT (SELECT coalesce(sum(stored), 0)::bigint FROM totals) AS stored,
           (SELECT count(*) FROM (SELECT FROM outbox WHERE state = 'due' LIMIT %(bound)s) due) AS due,
           (SELECT extract(epoch FROM now() - min(first.due_at))::double precision
            FROM subscriptions s CROSS JOIN LATERAL (
                SELECT o.due_at FROM outbox o WHERE o.subscription_id = s.id AND o.state = 'due'
                ORDER BY o.due_at LIMIT 1
            ) first WHERE s.state = 'active' AND first.due_at < now()) AS late,
           (SELECT count(*) FROM (SELECT FROM outbox WHERE state = 'given_up' LIMIT %(bound)s) given_up) AS given_up,
           (SELECT count(*) FROM (SELECT FROM rejections WHERE state = 'open' LIMIT %(bound)s) open) AS open,
           (SELECT count(*) FROM subscriptions WHERE state <> 'active') AS halted,
           (SELECT count(*) FROM subscriptions) AS subscriptions
"""
