"""Connections of the workshop. They are opened after the fork, by the task that uses them, and closed with it."""

import time
from typing import Any, TypeVar

import psycopg
import redis
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo
from psycopg.rows import Row, dict_row

from schemas.journal.redis_client import connect_redis

Database = psycopg.Connection[dict[str, Any]]

# Seconds that a read may block at the stream, and that the socket waits before it calls the server dead.
BLOCK = 1.0
SOCKET_TIMEOUT = BLOCK + 4.0

# PostgreSQL ends a statement after so many seconds; an answer that takes longer will never come.
STATEMENT_SECONDS = 60
ANSWER_SECONDS = STATEMENT_SECONDS + 5.0

# libpq's: a peer that is gone without a word is noticed within half a minute.
KEEPALIVE = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}

Result = TypeVar("Result")


class BoundedConnection(psycopg.Connection[Row]):
    """A connection that gives up on a server from which nothing comes any more.

    Behind a proxy that lost its other side the connection stays open and keepalives are answered: whoever waited there
    would wait for ever, with its entries.
    """

    def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:
        """Wait for an answer. Raises psycopg.OperationalError, and closes the connection, when it takes too long."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        began = time.monotonic()
        try:
            return super().wait(gen, interval, ANSWER_SECONDS)
        except psycopg.OperationalError:
            if time.monotonic() - began >= ANSWER_SECONDS:
                self.close()
            raise


def connect_database(url: str, purpose: str) -> Database:
    """Open a connection whose commits are durable, whatever the server's or the role's defaults are."""
    database = BoundedConnection[dict[str, Any]].connect(
        make_conninfo(url, connect_timeout=5, application_name=f"alert-intake {purpose}", **KEEPALIVE),
        autocommit=True,
        row_factory=dict_row,
    )
    try:
        database.execute("SET synchronous_commit = on")
        database.execute("SET timezone = 'UTC'")
        database.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'")
        database.execute("SET idle_in_transaction_session_timeout = '60s'")
    except BaseException:
        database.close()
        raise
    return database


def connect_stream(url: str) -> redis.Redis:
    """Open a client of the journal for reading. No automatic retries: who failed asks what happened first."""
    return connect_redis(url, timeout=SOCKET_TIMEOUT, connect_timeout=2.0)
