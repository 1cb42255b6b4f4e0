"""Bring a database to the newest schema: apply ``deploy/postgres/*.sql`` in the order of their numbers, with yoyo.

Each file is one transaction together with the note that it was applied. Callers that come at the same time wait for
each other (an advisory lock, which a crash cannot leave behind, unlike yoyo's own lock row). Workers may go on: a file
that comes into a deadlock with them is undone, and begun again.
"""

import contextlib
import io
from pathlib import Path
from urllib.parse import urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict
from yoyo import get_backend, read_migrations

FOLDER = Path(__file__).with_name("postgres")
ATTEMPTS = 10  # for workers that write the same tables in another order
LOCK = 0x616C657274  # any number, the same everywhere


def apply_migrations(url: str) -> list[str]:
    """Apply what is missing to the database that the libpq URI names; return the names of the files, in order."""
    with psycopg.connect(url, autocommit=True) as guard:
        guard.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        pending = pending_migrations(url)
        if not pending:
            return []
        for attempt in range(1, ATTEMPTS + 1):
            try:
                apply_pending(url)
                break
            except psycopg.errors.DeadlockDetected:
                if attempt == ATTEMPTS:
                    raise
        return pending


def apply_pending(url: str) -> None:
    """Apply what has not been applied."""
    with get_backend(yoyo_uri(url)) as backend, contextlib.redirect_stdout(io.StringIO()):  # it prints query results
        for migration in backend.to_apply(read_migrations(str(FOLDER))):
            with backend.transaction():
                migration.process_steps(backend, "apply")
                backend.mark_one(migration, log=False)  # its log asks for names that a container may not have


def pending_migrations(url: str) -> list[str]:
    """Name the files that have not been applied, without changing anything."""
    names = sorted(file.stem for file in FOLDER.glob("*.sql"))
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SELECT to_regclass('_yoyo_migration') IS NOT NULL").fetchone()
        if row is None or not row[0]:
            return names
        applied = {name for (name,) in connection.execute("SELECT migration_id FROM _yoyo_migration")}
    return [name for name in names if name not in applied]


def yoyo_uri(url: str) -> str:
    """Turn a libpq URI or connection string into yoyo's, with every part, quoted, among its arguments."""
    return "postgresql+psycopg:///?" + urlencode(conninfo_to_dict(url))
