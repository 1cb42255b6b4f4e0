"""Tell: look whether there is anything to tell, and do. Any number of workers may do so at the same time."""

import structlog

from schemas.settings.notices import Notices
from workers.database.connections import Database, connect_database, connect_stream
from workers.deadline import Deadline
from workers.notices.books import audit_books
from workers.notices.expiring import tell_expiring
from workers.notices.turns import tell_turns
from workers.settings import Workshop

log = structlog.get_logger()

SECONDS = 4.0  # of one round; what is left waits for the next


def tell_notices(workshop: Workshop) -> None:
    """Tell of alerts that near their deadline and of subscriptions that turned."""
    with connect_database(workshop.database_url, "notices") as database:
        expiring, turns = tell_all(database, workshop.configuration.notices, Deadline(SECONDS))
    if expiring or turns:
        log.info("notices_told", expiring=expiring, turns=turns)


def tell_all(database: Database, settings: Notices, deadline: Deadline) -> tuple[int, int]:
    """Tell batch after batch. Return how many alerts, and how many changes of subscriptions, were looked at."""
    expiring = turns = 0
    while (found := tell_turns(database)) and deadline.left() > 0:
        turns += found
    while (found := tell_expiring(database, settings)) and deadline.left() > 0:
        expiring += found
    return expiring, turns


def tell_of_books(workshop: Workshop) -> None:
    """Audit the books and tell of what does not balance. One worker at a time: it reads all that is in the journal."""
    with (
        connect_database(workshop.database_url, "audit") as database,
        connect_stream(workshop.journal_url) as client,
    ):
        turn = database.execute("SELECT pg_try_advisory_lock(hashtext('alert-intake audit')) AS mine").fetchone()
        if turn and turn["mine"]:
            audit_books(client, database, workshop.configuration.journal.stream)
