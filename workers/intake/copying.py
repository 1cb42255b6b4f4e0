"""Rows that nothing can conflict with go in by COPY: PostgreSQL takes them for two thirds of what an INSERT costs it.

Each row is one line of text (PostgreSQL, "COPY", text format): fields between tabs, what would end a field escaped.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from psycopg import sql

from schemas.alert import COLUMNS, DETAILS, Alert
from schemas.times import iso_milliseconds
from workers.connections import Database
from workers.intake.outcomes import Entry

# Stands for null. A field is compared with it before escapes are read, so that no text is taken for it.
NULL = "\x1f"
_SPECIAL = re.compile(r"[\\\t\n\r\x1f]")
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", NULL: "\\x1f"}
_FALSE_TRUE = ("f", "t")

COPIED_ALERT = (
    "id", "network", "provider_alert_id", "source", "kind", "status", "received_at", "revision", "duplicates",
    "repaired", "card_network", "respond_by", "related", "enrichment", "problems", "seen", "standing", *COLUMNS,
    "details",
)  # fmt: skip


def copy_rows(database: Database, table: str, columns: Sequence[str], rows: Iterable[Sequence[str | None]]) -> None:
    """Add rows to `table`. Each has a text for each of `columns`, in PostgreSQL's own form for its type."""
    lines = [copy_line(row) for row in rows]
    if not lines:
        return
    statement = sql.SQL("COPY {table} ({names}) FROM STDIN (NULL {null})").format(
        table=sql.Identifier(table), names=sql.SQL(", ").join(map(sql.Identifier, columns)), null=NULL
    )
    lines.append("")
    with database.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write("\n".join(lines))


def copy_line(row: Sequence[str | None]) -> str:
    """Return a row as a line, without its end."""
    line = "\t".join([NULL if text is None else text for text in row])
    # Hardly any row needs an escape, and to look at the whole line once costs least.
    if line.count("\t") >= len(row) or line.count(NULL) > row.count(None):
        line = "\t".join([NULL if text is None else _SPECIAL.sub(_escape, text) for text in row])
    elif "\\" in line or "\n" in line or "\r" in line:
        line = line.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return line


def alert_texts(alert: Alert) -> list[str | None]:
    """Return the columns `COPIED_ALERT` of an alert, as `copy_rows` takes them."""
    facts = alert.facts
    return [
        alert.id,
        alert.network,
        alert.provider_alert_id,
        alert.source,
        alert.kind,
        alert.status,
        alert.received_at,
        str(alert.revision),
        str(alert.duplicates),
        _FALSE_TRUE[alert.repaired],
        alert.card_network,
        alert.respond_by,
        f"{{{','.join(alert.related)}}}",
        json_text(alert.enrichment),
        json_text(alert.problems),
        f"{{{','.join(alert.seen)}}}",
        json_text(alert.standing),
        *map(facts.get, COLUMNS),
        json_text({name: facts[name] for name in DETAILS if name in facts}),
    ]


def entry_texts(entry: Entry) -> tuple[str, str]:
    """Return the columns `entered_at` and `sequence` that name a journal entry."""
    return iso_milliseconds(entry.entered_at), str(entry.sequence)


def json_text(value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    """Return a value as JSON."""
    return orjson.dumps(value).decode()


def _escape(special: re.Match[str]) -> str:
    return _ESCAPES[special[0]]
