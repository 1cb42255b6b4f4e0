"""Rows that nothing can conflict with go in by COPY: PostgreSQL takes them for two thirds of what an INSERT costs it.

Each row is one line of text (PostgreSQL, "COPY", text format): fields between tabs, what would end a field escaped.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import orjson
from psycopg import sql

from workers.database.connections import Database

# Stands for null. A field is compared with it before escapes are read, so that no text is taken for it.
NULL = "\x1f"
_SPECIAL = re.compile(r"[\\\t\n\r\x1f]")
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", NULL: "\\x1f"}


def copy_rows(database: Database, table: str, columns: Sequence[str], rows: Iterable[Sequence[str | None]]) -> None:
    """Add rows to `table`. Each has a text for each of `columns`, in PostgreSQL's own form for its type."""
    lines = [copy_line(row) for row in rows]
    if not lines:
        return
    lines.append("")
    with database.cursor() as cursor, cursor.copy(copy_statement(table, tuple(columns))) as copy:
        copy.write("\n".join(lines))


@cache
def copy_statement(table: str, columns: tuple[str, ...]) -> bytes:
    """Return the statement that takes rows by COPY."""
    return (
        sql.SQL("COPY {table} ({names}) FROM STDIN (NULL {null})")
        .format(table=sql.Identifier(table), names=sql.SQL(", ").join(map(sql.Identifier, columns)), null=NULL)
        .as_bytes()
    )


def copy_line(row: Sequence[str | None]) -> str:
    """Return a row as a line, without its end."""
    line = "\t".join([NULL if text is None else text for text in row])
    # Hardly any row needs an escape, and to look at the whole line once costs least.
    if line.count("\t") >= len(row) or line.count(NULL) > row.count(None):
        line = "\t".join([NULL if text is None else _SPECIAL.sub(_escape, text) for text in row])
    elif "\\" in line or "\n" in line or "\r" in line:
        line = line.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return line


def json_text(value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    """Return a value as JSON."""
    return orjson.dumps(value).decode()


def _escape(special: re.Match[str]) -> str:
    return _ESCAPES[special[0]]
