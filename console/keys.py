"""The sealing keys: how much is sealed with each, and sealing everything kept anew with the first.

Three tables hold sealed content, each bound to its own row; the journal's waiting entries are sealed too, and come to
the tables as they are. So the journal is counted before the tables: what moves meanwhile is counted twice, not missed.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import redis
from psycopg import sql

from console.connections import Database
from schemas.envelope import binding
from schemas.keyring import Keyring, Tampered, UnknownKey, sealed_by
from schemas.subscription import rejection_binding, subscription_binding

BATCH = 500  # rows read, and sealed anew in one transaction; entries of the journal read at once

Row = Mapping[str, Any]
Uses = dict[str, Counter[str | None]]  # place -> key id -> how many; None is no sealed content


@dataclass(frozen=True, slots=True)
class SealedTable:
    """A table with sealed rows: its primary key, what else its binding needs, and the binding itself."""

    name: str
    key: tuple[str, ...]
    also: tuple[str, ...]
    bound_to: Callable[[Row], bytes]

    def name_columns(self, columns: tuple[str, ...]) -> sql.Composed:
        """Return columns for a statement."""
        return sql.SQL(", ").join(map(sql.Identifier, columns))


TABLES = (
    SealedTable("subscriptions", ("id",), (), lambda row: subscription_binding(str(row["id"]))),
    SealedTable("rejections", ("id",), (), lambda row: rejection_binding(str(row["id"]))),
    SealedTable(
        "raw_bodies",
        ("entered_at", "sequence", "incarnation"),
        ("source", "request_id"),
        lambda row: binding(row["source"], row["request_id"].hex),
    ),
)
JOURNAL = "journal"
PLACES = (*(table.name for table in TABLES), JOURNAL)


@dataclass(frozen=True, slots=True)
class Page:
    """What became of one page of a table: rows read, sealed anew, and those that do not open."""

    table: str
    read: int
    resealed: int
    unopened: int


def count_uses(database: Database, client: redis.Redis, stream: str) -> Uses:
    """Count what each key seals, everywhere. Reads every sealed row and entry. `database` is in no transaction."""
    uses: Uses = {JOURNAL: count_journal(client, stream)}
    for table in TABLES:
        with database.transaction():
            database.execute("SET LOCAL statement_timeout = 0")  # it reads the whole table
            rows = database.execute(COUNT_KEYS.format(table=sql.Identifier(table.name))).fetchall()
        uses[table.name] = Counter({row["key"]: row["n"] for row in rows})
    return uses


def count_journal(client: redis.Redis, stream: str) -> Counter[str | None]:
    """Count the entries in the journal by the key that seals them, page by page."""
    counted: Counter[str | None] = Counter()
    after = "-"
    while True:
        page = cast("list[tuple[bytes, dict[bytes, bytes]]]", client.xrange(stream, min=after, count=BATCH))
        counted.update(sealed_by(fields.get(b"b", b"")) for _entry_id, fields in page)
        if len(page) < BATCH:
            return counted
        after = "(" + page[-1][0].decode()


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


# sealed: version (1 byte), key id (4), nonce (12), ciphertext; see schemas.keyring.
COUNT_KEYS = sql.SQL("""
    SELECT CASE WHEN substring(sealed FROM 1 FOR 1) = '\\x01' AND length(sealed) >= 33
           THEN encode(substring(sealed FROM 2 FOR 4), 'hex') END AS key, count(*) AS n
    FROM {table} WHERE sealed IS NOT NULL GROUP BY 1
""")
SELECT_PAGE = sql.SQL("""
    SELECT {columns}, CASE WHEN encode(substring(sealed FROM 2 FOR 4), 'hex') <> %s THEN sealed END AS sealed
    FROM {table} WHERE true {place} ORDER BY {key} LIMIT %s
""")
