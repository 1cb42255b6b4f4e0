"""Books that do not balance are told of once, when two audits in a row find the same."""

import time
from datetime import UTC, datetime

import redis
import structlog

from schemas.alert.times import iso_time
from schemas.downstream.events import UNBALANCED
from schemas.downstream.notices import books_payload
from workers.database.connections import Database
from workers.notices.accounts import Imbalance, audit_accounts
from workers.notices.outbox import Notice, announce_notices

log = structlog.get_logger()

PAUSE = 1.0  # seconds between the two: what a drain or a failover has under way is over by then


def audit_books(client: redis.Redis, database: Database, stream: str, pause: float = PAUSE) -> int:
    """Audit the books and tell of what does not balance. Return how many accounts were told of.

    Raises what the servers raise. `database` must not be inside a transaction.
    """
    found = audit_accounts(client, database, stream)
    if found:
        time.sleep(pause)
        again = audit_accounts(client, database, stream)
        found = None if again is None or set(again) != set(found) else again
    return 0 if found is None else tell_imbalances(database, found)


def tell_imbalances(database: Database, found: list[Imbalance]) -> int:
    """Tell of each account that does not balance, unless that has been told of just so. Return how many were told of.

    One that balances again is forgotten, and told of anew should it ever not.
    """
    names = [one.incarnation for one in found]
    with database.transaction():
        database.execute("DELETE FROM imbalances WHERE incarnation <> ALL(%s::uuid[])", [names])
        told = [
            one
            for one in found
            if database.execute(NOTE_IMBALANCE, [one.incarnation, one.missing, one.orphaned]).rowcount
        ]
        at = iso_time(datetime.now(UTC))
        announce_notices(
            database,
            [Notice(UNBALANCED, at, books_payload(one.incarnation, one.missing, one.orphaned)) for one in told],
        )
    for one in told:
        log.error("books_unbalanced", incarnation=one.incarnation, missing=one.missing, orphaned=one.orphaned)
    return len(told)


NOTE_IMBALANCE = """
    INSERT INTO imbalances AS known (incarnation, missing, orphaned) VALUES (%s, %s, %s)
    ON CONFLICT (incarnation) DO UPDATE SET missing = excluded.missing, orphaned = excluded.orphaned, told_at = now()
    WHERE (known.missing, known.orphaned) <> (excluded.missing, excluded.orphaned)
"""
