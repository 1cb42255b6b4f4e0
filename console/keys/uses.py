"""How much each key seals, everywhere.

The journal's waiting entries are sealed too, and come to the tables as they are. So the journal is counted before the
tables: what moves meanwhile is counted twice, not missed.
"""

from collections import Counter

import redis
from psycopg import sql

from console.connections import Database
from console.keys.tables import TABLES
from schemas.journal.pages import page_through
from schemas.keyring import sealed_by

JOURNAL = "journal"
PLACES = (*(table.name for table in TABLES), JOURNAL)

Uses = dict[str, Counter[str | None]]  # place -> key id -> how many; None is no sealed content


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
    for page in page_through(client, stream):
        counted.update(sealed_by(fields.get(b"b", b"")) for _entry_id, fields in page)
    return counted


# sealed: version (1 byte), key id (4), nonce (12), ciphertext; see schemas.keyring.
COUNT_KEYS = sql.SQL("""
    SELECT CASE WHEN substring(sealed FROM 1 FOR 1) = '\\x01' AND length(sealed) >= 33
           THEN encode(substring(sealed FROM 2 FOR 4), 'hex') END AS key, count(*) AS n
    FROM {table} WHERE sealed IS NOT NULL GROUP BY 1
""")
