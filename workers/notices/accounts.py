"""The books, as the workers themselves audit them: which accounts do not balance, and by how much."""

from dataclasses import dataclass

import redis

from schemas.journal.books import JournalChanging, read_books
from workers.database.connections import Database

MOST_ENTRIES = 100_000  # in the journal; of more, the audit waits until they are fewer: it reads each of them


@dataclass(frozen=True, slots=True)
class Imbalance:
    """An account that does not balance: entries that are neither settled nor waiting, and entries due to nobody."""

    incarnation: str
    missing: int
    orphaned: int


def audit_accounts(client: redis.Redis, database: Database, stream: str) -> list[Imbalance] | None:
    """Return the accounts that do not balance; None when that cannot be told now. Outside of a transaction."""
    if client.xlen(stream) > MOST_ENTRIES:
        return None
    try:
        accounts = read_books(client, database, stream)
    except JournalChanging:
        return None
    found = [
        # Below 0 an entry was deleted before anybody took it: that one is missing.
        Imbalance(account.incarnation, account.missing, max(account.orphaned, 0))
        for account in accounts
        if account.incarnation is not None
    ]
    return [one for one in found if one.missing or one.orphaned]
