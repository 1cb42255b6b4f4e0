"""Give back: what was leased and cannot be sent now is due again soon, as if nobody had taken it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import psycopg

from workers.database.connections import Database
from workers.delivery.lease import Item

PAUSE = 10.0  # seconds in which others are sent, and what was in the way may be mended


@contextmanager
def given_back_on_failure(database: Database, items: Sequence[Item]) -> Iterator[None]:
    """Give items back when the block fails. Without a connection their leases end by themselves."""
    try:
        yield
    except Exception:
        with suppress(psycopg.Error):
            give_back(database, items)
        raise


def give_back(database: Database, items: Sequence[Item]) -> None:
    """End the leases of items of which no attempt was made. Raises what the database raises."""
    leased = {"items": [item.outbox_id for item in items], "lease": items[0].lease, "pause": PAUSE}
    database.execute(GIVE_BACK, leased)


GIVE_BACK = """
    UPDATE outbox SET lease = NULL, attempts = attempts - 1, due_at = now() + make_interval(secs => %(pause)s)
    WHERE id = ANY (%(items)s::uuid[]) AND lease = %(lease)s AND state = 'due'
"""
