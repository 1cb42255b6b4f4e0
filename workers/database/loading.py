"""Rows for several tables at once that nothing can conflict with: many go in by COPY, a few by one statement for all.

A COPY is cheapest for each row, and takes two round trips for each table, planned anew. For an alert that comes alone
these are most of its way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from psycopg import sql

from workers.database.connections import Database
from workers.database.copying import copy_rows
from workers.database.rows import compose_insert, to_json

FEW = 16  # rows of a table


@dataclass(frozen=True, slots=True)
class Load:
    """Rows for a table. Each has a text for each of `columns`, in PostgreSQL's own form for its type.

    `documents` are the columns of which it is a JSON document, and never the document ``null``.
    """

    table: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str | None]]
    documents: frozenset[str] = frozenset()


def load_rows(database: Database, *loads: Load) -> None:
    """Add rows to their tables, of which a later one may refer to an earlier one."""
    few: list[Load] = []
    for load in loads:
        if len(load.rows) > FEW:
            insert_few(database, few)
            few = []
            copy_rows(database, load.table, load.columns, load.rows)
        elif load.rows:
            few.append(load)
    insert_few(database, few)


def insert_few(database: Database, loads: Sequence[Load]) -> None:
    """Add rows to their tables by one statement."""
    if loads:
        statement = compose_inserts(tuple((load.table, load.columns) for load in loads))
        database.execute(statement, [to_json([name_texts(load, row) for row in load.rows]) for load in loads])


def name_texts(load: Load, row: Sequence[str | None]) -> dict[str, Any]:
    """Return a row by its columns, ready for JSON, in which a document is not a text."""
    return {
        name: orjson.Fragment(text) if name in load.documents and text is not None else text
        for name, text in zip(load.columns, row, strict=True)
    }


@cache
def compose_inserts(targets: tuple[tuple[str, tuple[str, ...]], ...]) -> bytes:
    """Return the statement that adds an array of rows to each of these tables, with these columns."""
    inserts = [compose_insert(table, columns) for table, columns in targets]
    named = [
        sql.SQL("{} AS ({})").format(sql.Identifier(f"insert_{place}"), insert)
        for place, insert in enumerate(inserts[:-1])
    ]
    before = sql.SQL("WITH {} ").format(sql.SQL(", ").join(named)) if named else sql.SQL("")
    return (before + inserts[-1]).as_bytes()
