"""Give back: what was leased and cannot be sent now is due again soon, as if nobody had taken it."""

from collections.abc import Sequence

from workers.database.connections import Database
from workers.delivery.lease import Item

PAUSE = 10.0  # seconds in which others are sent, and what was in the way may be mended


def give_back(database: Database, items: Sequence[Item]) -> None:
    """End the leases of items of which no attempt was made. Raises what the database raises."""
    leased = {"items": [item.outbox_id for item in items], "lease": items[0].lease, "pause": PAUSE}
    database.execute(GIVE_BACK, leased)


GIVE_BACK = """
    UPDATE outbox SET lease = NULL, attempts = attempts - 1, due_at = now() + make_interval(secs => %(pause)s)
    WHERE id = ANY (%(items)s::uuid[]) AND lease = %(lease)s AND state = 'due'
"""
