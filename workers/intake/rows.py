"""Rows travel as one JSON array a statement and are unfolded by PostgreSQL (`json_populate_recordset`).

So a batch of 500 costs about as many round trips as a batch of one, and Python builds no parameter per value.
"""

from collections.abc import Sequence
from typing import Any

import orjson
import psycopg
from psycopg import sql

from schemas.times import iso_milliseconds
from workers.connections import Database
from workers.intake.outcomes import Entry, Report

NO_TAIL = sql.SQL("")


def insert_rows(
    database: Database,
    table: str,
    columns: Sequence[str],
    rows: Sequence[dict[str, Any]],
    tail: sql.SQL = NO_TAIL,
) -> psycopg.Cursor[dict[str, Any]]:
    """Insert `rows` into `table` with one statement. Keys of a row that are not among `columns` are left out."""
    if not rows:
        return database.cursor()
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL(
        "INSERT INTO {table} ({names}) SELECT {names} FROM json_populate_recordset(NULL::{table}, %s::json)"
    )
    return database.execute(statement.format(table=sql.Identifier(table), names=names) + tail, [to_json(rows)])


def entry_row(entry: Entry, incarnation: str) -> dict[str, Any]:
    """The columns that name a journal entry."""
    return {
        "entered_at": iso_milliseconds(entry.entered_at),
        "sequence": entry.sequence,
        "incarnation": incarnation,
    }


def origin_row(report: Report) -> dict[str, Any]:
    """The columns that say where an entry came from; nulls when it is no envelope."""
    envelope = report.envelope
    if envelope is None:
        return {"request_id": None, "source": None, "received_at": None}
    return {
        "request_id": envelope.request_id,
        "source": envelope.source,
        "received_at": iso_milliseconds(envelope.received_at),
    }


def hexed(content: bytes) -> str:
    """PostgreSQL's text form of bytea."""
    return "\\x" + content.hex()


def to_json(rows: Sequence[dict[str, Any]]) -> str:
    """Encode rows for `json_populate_recordset`."""
    return orjson.dumps(rows).decode()
