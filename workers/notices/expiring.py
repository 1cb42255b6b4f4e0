"""Alerts that near their deadline and are still open: each is told of once, as an event of that alert.

So filters, fields to leave out and the order of an alert's events hold for it as for every other.
"""

from psycopg import sql

from schemas.alert.alert import Alert
from schemas.downstream.events import EXPIRING
from schemas.settings.notices import Notices
from workers.database.connections import Database
from workers.intake.announce import announce_events
from workers.intake.claims import ALERT_COLUMNS
from workers.intake.outcomes import Event

BATCH = 200


def tell_expiring(database: Database, settings: Notices) -> int:
    """Tell of up to BATCH alerts and mark them, in one transaction. Return how many there were.

    An alert whose time is over is told of no more: it is too late to answer. One that somebody holds is told of in the
    next round, as it then is.
    """
    with database.transaction():
        window = {"before": settings.expiring_before, "limit": BATCH}
        rows = database.execute(SELECT_EXPIRING, window).fetchall()
        if rows:
            announce_events(database, [Event(EXPIRING, Alert.from_row(row)) for row in rows])
            database.execute(MARK_TOLD, [[row["id"] for row in rows]])
    return len(rows)


# By the index alerts_expiring, whose condition is repeated word by word. Nobody is waited for: no deadlock.
SELECT_EXPIRING = sql.SQL(
    """SELECT {names} FROM alerts
       WHERE expiry_told_at IS NULL AND status IN ('new', 'open', 'processing')
         AND respond_by > now() AND respond_by <= now() + make_interval(secs => %(before)s)
       ORDER BY respond_by LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED"""
).format(names=sql.SQL(", ").join(map(sql.Identifier, ALERT_COLUMNS)))
MARK_TOLD = "UPDATE alerts SET expiry_told_at = now() WHERE id = ANY(%s)"
