"""Hold a transaction of the stack at a chosen place, by a trigger of the test's own that waits for an advisory lock."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from tests.faults.site import Site

KEY = 7_700_001
HELD_SECONDS = 50.0  # less than a statement of the workers may take


@dataclass(slots=True)
class Hold:
    """A place in the transactions that is held until `release`."""

    site: Site
    database: psycopg.Connection[TupleRow]

    def wait_for_victims(self, count: int = 1) -> list[int]:
        """Wait until so many transactions are held; return their backends."""
        self.site.seconds_until(lambda: len(self.victims()) >= count, HELD_SECONDS, "a transaction is held")
        return self.victims()

    def victims(self) -> list[int]:
        """Return the backends that are held."""
        rows = self.database.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted", [KEY]
        )
        return [pid for (pid,) in rows.fetchall()]

    def release(self) -> None:
        """Let them go on."""
        self.database.execute("SELECT pg_advisory_unlock_all()")


@contextlib.contextmanager
def hold_batches(site: Site, *, at_commit: bool) -> Iterator[Hold]:
    """Hold every batch of the drains: in the midst of its transaction, or in its COMMIT."""
    when = "DEFERRABLE INITIALLY DEFERRED" if at_commit else ""
    with held(site, f"CREATE CONSTRAINT TRIGGER fault_hold AFTER INSERT OR UPDATE ON totals {when}", "totals") as hold:
        yield hold


@contextlib.contextmanager
def hold_marks(site: Site) -> Iterator[Hold]:
    """Hold every forwarder between the receiver's answer and the commit of its mark."""
    trigger = "CREATE TRIGGER fault_hold AFTER UPDATE ON outbox"
    with held(site, trigger, "outbox", "WHEN (NEW.state = 'delivered')") as hold:
        yield hold


@contextlib.contextmanager
def hold_answers(site: Site) -> Iterator[Hold]:
    """Hold everybody who writes what came of an enricher before the commit."""
    with held(site, "CREATE TRIGGER fault_hold AFTER DELETE ON enrichments", "enrichments") as hold:
        yield hold


@contextlib.contextmanager
def held(site: Site, trigger: str, table: str, condition: str = "") -> Iterator[Hold]:
    """Make the trigger, hold what comes to it, let go and remove it in the end."""
    with site.database() as database:
        database.execute(FUNCTION)
        database.execute("SELECT pg_advisory_lock(%s)", [KEY])
        try:
            database.execute(f"{trigger} FOR EACH ROW {condition} EXECUTE FUNCTION fault_hold()".encode())
            yield Hold(site, database)
        finally:
            database.execute("SELECT pg_advisory_unlock_all()")
            database.execute(f"DROP TRIGGER IF EXISTS fault_hold ON {table}".encode())


FUNCTION = f"""
    CREATE OR REPLACE FUNCTION fault_hold() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared({KEY});
        RETURN NULL;
    END;
    $$
""".encode()
