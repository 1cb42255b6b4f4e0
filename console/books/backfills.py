"""Work over what was stored before, under way in the background: how far each has come."""

from typing import Any

from console.connections import Database

SINCE = "0010.notices"  # the migration that begins to keep them


def list_backfills(database: Database) -> list[dict[str, Any]]:
    """Return those that have something left to do, by name: how far each is done, and until where.

    `done` and `until` are positions of alerts (`alerts.position`), of which few are missing: about so many alerts.
    """
    return database.execute(SELECT_BACKFILLS).fetchall()


SELECT_BACKFILLS = """
    SELECT name, done, until FROM backfills WHERE finished_at IS NULL AND done < until ORDER BY name
"""
