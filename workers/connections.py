"""Connections of the workshop. They are opened after the fork, by the task that uses them, and closed with it."""

from typing import Any

import psycopg
import redis
from psycopg.rows import dict_row

from schemas.redis_address import connect_redis

Database = psycopg.Connection[dict[str, Any]]

# Seconds that a read may block at the stream, and that the socket waits before it calls the server dead.
BLOCK = 1.0
SOCKET_TIMEOUT = BLOCK + 4.0


def connect_database(url: str, purpose: str) -> Database:
    """Open a connection whose commits are durable, whatever the server's or the role's defaults are."""
    database = psycopg.connect(
        url, autocommit=True, row_factory=dict_row, connect_timeout=5, application_name=f"alert-intake {purpose}"
    )
    try:
        database.execute("SET synchronous_commit = on")
        database.execute("SET timezone = 'UTC'")
        database.execute("SET statement_timeout = '60s'")
        database.execute("SET idle_in_transaction_session_timeout = '60s'")
    except BaseException:
        database.close()
        raise
    return database


def connect_stream(url: str) -> redis.Redis:
    """Open a client of the journal for reading. No automatic retries: who failed asks what happened first."""
    return connect_redis(url, timeout=SOCKET_TIMEOUT, connect_timeout=2.0)
