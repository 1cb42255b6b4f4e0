"""Connections to the database, the journal and the broker, and one line when one of them does not answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import redis
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from console.unreachable import Unreachable
from schemas.journal.append import connect_journal
from schemas.journal.redis_address import require_redis
from schemas.settings.configuration import require_address

Database = psycopg.Connection[dict[str, Any]]

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 30
REDIS_SECONDS = 5.0


@contextmanager
def open_database(*, writable: bool = False) -> Iterator[Database]:
    """Connect to DATABASE_URL; what is done inside is one transaction. Raises Unreachable."""
    with (
        translate_database_errors(),
        psycopg.connect(
            check_database_url(require_address("DATABASE_URL")), connect_timeout=CONNECT_SECONDS, row_factory=dict_row
        ) as connection,
    ):
        prepare_session(connection, writable=writable)
        yield connection


def prepare_session(connection: Database, *, writable: bool = False) -> None:
    """Make a connection read-only unless asked otherwise, its times UTC, and its statements end in time."""
    connection.execute(
        "SELECT set_config('TimeZone', 'UTC', false), set_config('statement_timeout', %s, false),"
        " set_config('default_transaction_read_only', %s, false)",
        (str(STATEMENT_SECONDS * 1000), "off" if writable else "on"),
    )
    connection.commit()


@contextmanager
def translate_database_errors() -> Iterator[None]:
    """Turn what psycopg raises about the server, not about us, into Unreachable."""
    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedFunction) as error:
        raise Unreachable("the database lacks tables of ours; run `alert-intake migrate`") from error
    except psycopg.errors.QueryCanceled as error:
        raise Unreachable(
            f"the database took too long over a statement ({' '.join(str(error).split())[:300]}; it may take"
            f" {STATEMENT_SECONDS} seconds): something holds a lock, or the server is overloaded"
        ) from error
    except psycopg.OperationalError as error:
        reason = " ".join(str(error).split())[:300]
        raise Unreachable(f"the database does not answer ({reason}); check DATABASE_URL and the server") from error


def check_database_url(url: str) -> str:
    """Return the libpq connection string. Raises Unreachable, without quoting it: it may hold a password."""
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise Unreachable("DATABASE_URL is no libpq connection string (postgresql://user:password@host/name)") from None
    return url


@contextmanager
def open_redis(variable: str) -> Iterator[redis.Redis]:
    """Connect to the Redis that the environment variable names (JOURNAL_URL, BROKER_URL). Raises Unreachable."""
    url = require_redis(variable)
    try:
        client = connect_journal(url, REDIS_SECONDS)
    except ValueError:
        raise Unreachable(f"{variable} is no Redis address (redis://user:password@host:port/0)") from None
    try:
        with client:
            yield client
    except (redis.RedisError, OSError) as error:
        reason = " ".join(str(error).split())[:300]
        raise Unreachable(f"{variable}: Redis does not answer ({reason}); check the address and the server") from error
