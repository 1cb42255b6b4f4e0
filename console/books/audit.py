"""The books for people and programs: the audit's accounts, and their sums."""

from collections.abc import Sequence
from typing import Any

import redis

from console.connections import Database
from console.unreachable import Unreachable
from schemas.journal.account import Account
from schemas.journal.books import JournalChanging, read_books

MOST_WAITING = 100_000  # entries that are read for an audit which nobody asked for by name: some seconds


def audit_books(client: redis.Redis, database: Database, stream: str) -> list[Account]:
    """Return one account per incarnation, as `read_books` does. Raises Unreachable when they cannot be told now."""
    try:
        return read_books(client, database, stream)
    except JournalChanging as error:
        raise Unreachable(str(error)) from error


def present_books(accounts: Sequence[Account]) -> dict[str, Any]:
    """Return the books as the API gives them: sums over all incarnations, and what is unaccounted for."""
    return {
        "balanced": all(account.balanced for account in accounts),
        "added": sum(account.added for account in accounts),
        "settled": sum(account.settled for account in accounts),
        "waiting": sum(account.waiting for account in accounts),
        "orphaned": sum(account.orphaned for account in accounts),
        "unaccounted": [
            {"incarnation": account.incarnation, "entries": account.missing} for account in accounts if account.missing
        ],
    }
