"""Seal everything in the tables anew with the first key. Entries that wait in the journal come to them as they are."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from console.connections import Database
from console.keys.tables import TABLES, SealedTable
from schemas.keyring import Keyring, Tampered, UnknownKey

BATCH = 500  # rows read, and sealed anew in one transaction


@dataclass(frozen=True, slots=True)
class Page:
    """What became of one page of a table: rows read, sealed anew, and those that do not open."""

    table: str
    read: int
    resealed: int
    unopened: int


def reseal_everything(database: Database, keyring: Keyring) -> Generator[Page]:
    """Seal with the first key what another one seals, page by page. Broken off, it goes on when it is begun again."""
    for table in TABLES:
        yield from reseal_table(database, table, keyring)


def reseal_table(database: Database, table: SealedTable, keyring: Keyring) -> Iterator[Page]:
    """Walk one table in the order of its primary key. Rows that come meanwhile may or may not be among them."""
    names = {
        "table": sql.Identifier(table.name),
        "key": table.name_columns(table.key),
        "columns": table.name_columns((*table.key, *table.also)),
    }
    after: list[Any] | None = None
    while True:
        place: sql.SQL | sql.Composed = sql.SQL("")
        if after is not None:
            marks = sql.SQL(", ").join([sql.Placeholder()] * len(after))
            place = sql.SQL("AND ({key}) > ({marks})").format(key=names["key"], marks=marks)
        with database.transaction():
            rows = database.execute(
                SELECT_PAGE.format(**names, place=place), [keyring.key_ids[0], *(after or ()), BATCH]
            ).fetchall()
            changes, unopened = reseal_rows(rows, table, keyring)
            resealed = write_page(database, table, changes)
        yield Page(table.name, len(rows), resealed, unopened)
        if len(rows) < BATCH:
            return
        after = [rows[-1][column] for column in table.key]


def reseal_rows(rows: list[dict[str, Any]], table: SealedTable, keyring: Keyring) -> tuple[list[list[Any]], int]:
    """Return for each row that another key seals (new, primary key, old), and how many of them do not open."""
    changes, unopened = [], 0
    for row in rows:
        if row["sealed"] is None:
            continue
        old, bound_to = bytes(row["sealed"]), table.bound_to(row)
        try:
            new = keyring.seal(keyring.unseal(old, bound_to), bound_to)
        except (UnknownKey, Tampered):
            unopened += 1
        else:
            changes.append([new, *(row[column] for column in table.key), old])
    return changes, unopened


def write_page(database: Database, table: SealedTable, changes: list[list[Any]]) -> int:
    """Write what was sealed anew; a row that somebody has changed since it was read is left to them."""
    if not changes:
        return 0
    conditions = sql.SQL(" AND ").join(sql.SQL("{} = %s").format(sql.Identifier(column)) for column in table.key)
    statement = sql.SQL("UPDATE {} SET sealed = %s WHERE {} AND sealed = %s")
    with database.cursor() as cursor:
        cursor.executemany(statement.format(sql.Identifier(table.name), conditions), changes)
        return cursor.rowcount


SELECT_PAGE = sql.SQL("""
    SELECT {columns}, CASE WHEN encode(substring(sealed FROM 2 FOR 4), 'hex') <> %s THEN sealed END AS sealed
    FROM {table} WHERE true {place} ORDER BY {key} LIMIT %s
""")
