"""Fill a database as if so many alerts had been drained already: every table that a drain writes, and every index.

The rows are those of one real alert but for what is different in each: ids, keys and moments.
"""

import psycopg

from deploy.migrations import apply_migrations
from tests.bench.drain_bare import ALERT, INCARNATION, TEXTS, TOLD
from workers.database.connections import connect_database
from workers.database.copying import copy_rows
from workers.intake.columns import COPIED_ALERT

# Time-ordered ids, as the drain's own: the moment and then chance.
NUMBERED = """
    CREATE TEMPORARY TABLE numbered AS
    SELECT n, at, (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '-7000-8000-'
                   || left(md5(n::text), 12))::uuid AS id
    FROM (SELECT n, now() - make_interval(secs => 2e6 * (1 - n::float8 / %s)) AS at FROM generate_series(1, %s) n) made
"""
STEPS = (
    "INSERT INTO identities SELECT 'ethoca', 'STORED' || n, id FROM numbered ORDER BY md5(n::text)",
    """INSERT INTO transactions SELECT decode(md5(k || n::text), 'hex'), ARRAY[id]
       FROM numbered, (VALUES ('a'), ('b')) v (k)""",
    """INSERT INTO alerts ({columns}, id, provider_alert_id, received_at)
       SELECT {columns_of_template}, n.id, 'STORED' || n.n, n.at
       FROM numbered n, alerts t WHERE t.provider_alert_id = 'BARE' ORDER BY n.n""",
    """INSERT INTO receipts (entered_at, sequence, incarnation, request_id, source, received_at)
       SELECT at, 0, '{incarnation}', gen_random_uuid(), 'ethoca', at FROM numbered ORDER BY n""",
    """INSERT INTO endings (entered_at, sequence, incarnation, item, ending, alert_id)
       SELECT at, 0, '{incarnation}', 0, 'stored', id FROM numbered ORDER BY n""",
    """INSERT INTO raw_bodies (entered_at, sequence, incarnation, source, request_id, sealed)
       SELECT at, 0, '{incarnation}', 'ethoca', gen_random_uuid(), decode(repeat(md5(n::text), 40), 'hex')
       FROM numbered ORDER BY n""",
    """INSERT INTO events (id, type, alert_id, revision, alert, created_at)
       SELECT id, 'alert.created', id, 1, '{told}'::jsonb, at FROM numbered ORDER BY n""",
)


def prefill(database_url: str, alerts: int) -> None:
    """Store so many alerts, and let PostgreSQL know of it. A million takes some minutes."""
    apply_migrations(database_url)
    with connect_database(database_url, "bench") as database:
        copy_rows(database, "alerts", COPIED_ALERT, [TEXTS])
    kept = ", ".join(name for name in COPIED_ALERT if name not in {"id", "provider_alert_id", "received_at"})
    template = ", ".join(f"t.{name}" for name in kept.split(", "))
    names = {"columns": kept, "columns_of_template": template, "incarnation": INCARNATION, "told": TOLD}
    with psycopg.connect(database_url) as database:
        database.execute("SET synchronous_commit = off")
        database.execute(NUMBERED, [alerts, alerts])
        for step in STEPS:
            database.execute(step.format(**names).encode())
        database.execute("DELETE FROM alerts WHERE id = %s", [ALERT.id])
    with psycopg.connect(database_url, autocommit=True) as database:
        database.execute("VACUUM (ANALYZE)")
        database.execute("CHECKPOINT")
