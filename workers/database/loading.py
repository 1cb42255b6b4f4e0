"""Rows for several tables at once that nothing can conflict with: many go in by COPY, a few by one statement for all.

A COPY is cheapest for each row, and takes two round trips for each table, planned anew. For an alert that comes alone
these are most of its way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from psycopg import sql

from workers.database.connections import Database
from workers.database.copying import copy_rows

FEW = 4  # rows of a table


@dataclass(frozen=True, slots=True)
class Load:
    """Rows for a table. Each has a text for each of `columns`, in PostgreSQL's own form for its type."""

    table: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str | None]]


def load_rows(database: Database, *loads: Load) -> None:
    """Add rows to their tables, of which a later one may refer to an earlier one."""
    filled = [load for load in loads if load.rows]
    if not filled:
        return
    if any(len(load.rows) > FEW for load in filled):
        for load in filled:
            copy_rows(database, load.table, load.columns, load.rows)
        return
    statement = insert_statement(tuple((load.table, load.columns, len(load.rows)) for load in filled))
    database.execute(statement, [text for load in filled for row in load.rows for text in row])


@cache
def insert_statement(shapes: tuple[tuple[str, tuple[str, ...], int], ...]) -> bytes:
    """Return the statement that adds so many rows to each table. Its texts are taken for what the columns are."""
    inserts = [
        sql.SQL("INSERT INTO {table} ({names}) VALUES {rows}").format(
            table=sql.Identifier(table),
            names=sql.SQL(", ").join(map(sql.Identifier, columns)),
            rows=sql.SQL(", ").join(
                [sql.SQL("({})").format(sql.SQL(", ").join([sql.Placeholder()] * len(columns)))] * rows
            ),
        )
        for table, columns, rows in shapes
    ]
    named = [
        sql.SQL("{} AS ({})").format(sql.Identifier(f"insert_{place}"), insert)
        for place, insert in enumerate(inserts[:-1])
    ]
    before = sql.SQL("WITH {} ").format(sql.SQL(", ").join(named)) if named else sql.SQL("")
    return (before + inserts[-1]).as_bytes()
