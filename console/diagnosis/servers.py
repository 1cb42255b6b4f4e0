"""The three servers: whether they answer, keep what they acknowledge, and agree on the time."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from console.connections import Database, open_database, open_redis
from console.diagnosis.check import Check, check_clock
from console.unreachable import Unreachable
from schemas.journal.durability import examine_durability, read_info
from schemas.settings.configuration import require_address
from schemas.settings.journal import Journal
from schemas.settings.secret import ConfigurationError

POSTGRES_VERSION = 150000


def check_redis(settings: Journal) -> Iterator[Check]:
    """Check journal and broker, and that they are two."""
    run_ids: dict[str, str] = {}
    for variable in ("JOURNAL_URL", "BROKER_URL"):
        try:
            with open_redis(variable) as client:
                run_ids[variable] = read_info(client, "server").get("run_id", "")
                if variable == "JOURNAL_URL":
                    for finding in examine_durability(client, settings):
                        yield Check(f"journal {finding.name}", finding.well, finding.found)
                else:
                    yield Check("broker", True, "answers")  # nothing in it matters
                seconds, microseconds = client.time()
                yield check_clock(f"clock of {variable}", datetime.fromtimestamp(seconds + microseconds / 1e6, UTC))
        except (Unreachable, ConfigurationError) as error:
            yield Check(variable, False, str(error))
    if len(run_ids) == 2:
        apart = len(set(run_ids.values())) == 2  # whatever names and databases the addresses give
        advice = "two" if apart else "one and the same: a full journal would stop the ticks that drain it; use two"
        yield Check("journal and broker are different instances", apart, advice)


def check_database(pending_migrations: Callable[[str], list[str]]) -> Iterator[Check]:
    """Check PostgreSQL and its tables."""
    try:
        with open_database() as database:
            yield from check_postgres(database)
            pending = pending_migrations(require_address("DATABASE_URL"))
            yield Check("migrations", not pending, f"missing: {', '.join(pending)}; run `alert-intake migrate`"
                        if pending else "all applied")  # fmt: skip
    except (Unreachable, ConfigurationError) as error:
        yield Check("DATABASE_URL", False, str(error))


def check_postgres(database: Database) -> Iterator[Check]:
    """Check that the database keeps what it commits, and is new enough."""
    row = database.execute(SELECT_SETTINGS).fetchone() or {}
    new_enough = row["version"] >= POSTGRES_VERSION
    yield Check("postgres version", new_enough, row["shown"] + ("" if new_enough else ": 15 or newer is needed"))
    for name, wanted in (
        ("fsync", {"on"}),
        ("full_page_writes", {"on"}),
        ("synchronous_commit", {"on", "remote_write", "remote_apply"}),
    ):
        well = row[name] in wanted
        advice = "" if well else ": a power failure could undo what was committed; set it on"
        yield Check(f"postgres {name}", well, row[name] + advice)
    yield check_clock("clock of DATABASE_URL", row["clock"])


SELECT_SETTINGS = """
    SELECT current_setting('server_version_num')::integer AS version, current_setting('server_version') AS shown,
           current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
           current_setting('synchronous_commit') AS synchronous_commit, clock_timestamp() AS clock
"""
