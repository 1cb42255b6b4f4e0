"""Rows travel as one JSON array a statement and are unfolded by PostgreSQL (`json_populate_recordset`).

So a batch of 500 costs about as many round trips as a batch of one, and Python builds no parameter per value.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import orjson
import psycopg
from psycopg import sql

from workers.database.connections import Database


def insert_rows(
    database: Database,
    table: str,
    columns: Sequence[str],
    rows: Sequence[dict[str, Any]],
    tail: str = "",
) -> psycopg.Cursor[dict[str, Any]]:
    """Insert `rows` into `table` with one statement. Keys of a row that are not among `columns` are left out."""
    if not rows:
        return database.cursor()
    return database.execute(insert_statement(table, tuple(columns), tail), [to_json(rows)])


@cache
def insert_statement(table: str, columns: tuple[str, ...], tail: str) -> bytes:
    """Return the statement that inserts an array of rows, and ends with `tail`."""
    return compose_insert(table, columns).as_bytes() + tail.encode()


def compose_insert(table: str, columns: tuple[str, ...]) -> sql.Composed:
    """Return what inserts an array of rows."""
    return sql.SQL(
        "INSERT INTO {table} ({names}) SELECT {names} FROM json_populate_recordset(NULL::{table}, %s::json)"
    ).format(table=sql.Identifier(table), names=sql.SQL(", ").join(map(sql.Identifier, columns)))


def hexed(content: bytes) -> str:
    """PostgreSQL's text form of bytea."""
    return "\\x" + content.hex()


def to_json(rows: Sequence[dict[str, Any]]) -> str:
    """Encode rows for `json_populate_recordset`."""
    return orjson.dumps(rows).decode()
