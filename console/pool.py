"""The console's database connections: read-only, opened after the fork, checked before they are used."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from console.connections import (
    CONNECT_SECONDS,
    Database,
    check_database_url,
    prepare_session,
    translate_database_errors,
)

WAIT_SECONDS = 5.0


class ReadPool:
    """Connections to DATABASE_URL on which nothing can be written. Safe to create before a fork."""

    def __init__(self, url: str, size: int) -> None:
        self._pool: ConnectionPool[psycopg.Connection[dict[str, Any]]] = ConnectionPool(
            check_database_url(url),
            connection_class=psycopg.Connection[dict[str, Any]],
            kwargs={
                "row_factory": dict_row,
                "connect_timeout": CONNECT_SECONDS,
                "application_name": "alert-intake console",
            },
            min_size=1,
            max_size=size,
            max_idle=300,
            timeout=WAIT_SECONDS,
            configure=prepare_session,
            check=ConnectionPool.check_connection,
            open=False,
        )

    @contextmanager
    def connection(self) -> Iterator[Database]:
        """Lend a connection that is in no transaction. Raises Unreachable, or PoolTimeout when none can be had."""
        self._pool.open()  # starts its threads, so not before the fork; does nothing when it is open
        with translate_database_errors(), self._pool.connection() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()
