"""Subscriptions that were paused, by failures or by hand, and resumed: told from the log that each change leaves.

Whoever changes a subscription writes the log in the same transaction, so that no change goes untold.
"""

from schemas.alert.times import iso_time
from schemas.downstream.events import PAUSED, RESUMED
from schemas.downstream.notices import subscription_payload
from workers.database.connections import Database
from workers.notices.outbox import Notice, announce_notices

BATCH = 200
# What the log says -> the event, and the state that the subscription is in since.
TURNS = {"tripped": (PAUSED, "tripped"), "paused": (PAUSED, "paused"), "resumed": (RESUMED, "active")}


def tell_turns(database: Database) -> int:
    """Tell of up to BATCH changes, in their order, and mark them, in one transaction. Return how many there were.

    Nothing is told of a subscription that is gone.
    """
    with database.transaction():
        rows = database.execute(SELECT_TURNS, [BATCH]).fetchall()
        notices = []
        for row in rows:
            if row["what"] in TURNS and row["present"]:
                event, state = TURNS[row["what"]]
                payload = subscription_payload(row["subscription_id"], row["subscription"], state, row["why"])
                notices.append(Notice(event, iso_time(row["at"]), payload, about=row["subscription_id"]))
        announce_notices(database, notices)
        if rows:
            database.execute(
                "UPDATE subscription_log SET told = true WHERE id = ANY(%s)", [[row["id"] for row in rows]]
            )
    return len(rows)


# The first of them is told by one at a time: who comes second waits, and then sees that they are told.
SELECT_TURNS = """
    SELECT l.id, l.at, l.subscription_id::text, l.subscription, l.what, l.why,
           EXISTS (SELECT FROM subscriptions s WHERE s.id = l.subscription_id) AS present
    FROM subscription_log l WHERE NOT l.told ORDER BY l.id LIMIT %s FOR UPDATE OF l
"""
