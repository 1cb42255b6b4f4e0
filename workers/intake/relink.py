"""Relink: find the links of alerts that were stored before alerts were linked, oldest first, batch by batch.

How far it has come stands in the table `backfills`, written with the links themselves: cut off anywhere it goes on
where it was, and what it finds twice it writes once. It locks what a drain locks, in the same order, for a batch at a
time, and tells nobody: no network has said anything new.
"""

import structlog
from psycopg import sql

from schemas.alert.alert import Alert
from workers.database.connections import Database, connect_database
from workers.database.refusals import retried_on_conflict
from workers.database.rows import to_json
from workers.deadline import Deadline
from workers.intake.claims import ALERT_COLUMNS
from workers.intake.link import ADD_LINKS, claim_keys, find_partners, lock_alerts
from workers.settings import Workshop

log = structlog.get_logger()

BATCH = 200


def relink_stored(workshop: Workshop, seconds: float) -> None:
    """Go on for about `seconds`, or until all is done."""
    deadline = Deadline(seconds)
    with connect_database(workshop.database_url, "relink") as database:
        looked_at = 0
        while deadline.left() > 0 and (found := relink_batch(database)):
            looked_at += found
        row = database.execute("SELECT done, until FROM backfills WHERE name = 'links'").fetchone()
    if looked_at and row:
        log.info("alerts_relinked", alerts=looked_at, done=row["done"], until=row["until"])


@retried_on_conflict
def relink_batch(database: Database, limit: int = BATCH) -> int:
    """Link the next `limit` alerts. Return how many there were: 0 when all is done, or another worker is at it."""
    with database.transaction():
        place = database.execute(HOLD_PLACE).fetchone()
        if place is None:
            return 0
        window = {"done": place["done"], "until": place["until"], "limit": limit}
        rows = database.execute(SELECT_ALERTS, window).fetchall()
        partners = find_partners(claim_keys(database, [Alert.from_row(row) for row in rows]).values())
        known = lock_alerts(database, partners)
        added = [
            {"id": alert_id, "related": sorted(known[alert_id] | linked & known.keys())}
            for alert_id, linked in partners.items()
            if alert_id in known and not known[alert_id] >= linked & known.keys()
        ]
        if added:
            database.execute(ADD_LINKS, [to_json(added)])
        database.execute(MOVE_ON, {"done": rows[-1]["position"] if len(rows) == limit else place["until"]})
    return len(rows)


# No further than where nothing can appear any more: a transaction that began before the migration may still add alerts.
HOLD_PLACE = """
    SELECT done, least(until, alerts_horizon()) AS until FROM backfills
    WHERE name = 'links' AND finished_at IS NULL FOR UPDATE SKIP LOCKED
"""
SELECT_ALERTS = sql.SQL(
    """SELECT position, {names} FROM alerts
       WHERE position > %(done)s AND position <= %(until)s ORDER BY position LIMIT %(limit)s"""
).format(names=sql.SQL(", ").join(map(sql.Identifier, ALERT_COLUMNS)))
MOVE_ON = """
    UPDATE backfills SET done = %(done)s, finished_at = CASE WHEN %(done)s >= until THEN now() END WHERE name = 'links'
"""
