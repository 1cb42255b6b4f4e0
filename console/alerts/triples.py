"""The triples of network, kind and status that there are: from the first alerts of each every list is merged."""

from typing import Literal

from psycopg import sql

from console.connections import Database

# Alerts that may still be answered with success.
UNANSWERED = ("new", "open", "processing")

Order = Literal["newest", "soonest"]


def count_due(database: Database, seconds: float, bound: int) -> int:
    """Count the unanswered alerts whose deadline is that near, of each triple up to `bound`."""
    values = {"seconds": seconds, "bound": bound, "statuses": list(UNANSWERED)}
    row = database.execute(COUNT_DUE, values, prepare=False).fetchone()
    return int(row["due"]) if row else 0


def list_triples(database: Database) -> list[tuple[str, str, str]]:
    """Return the triples that there are, up to some hundreds: what one can filter by."""
    rows = database.execute(SELECT_TRIPLES).fetchall()
    return [(row["network"], row["kind"], row["status"]) for row in rows]


FILTERS: dict[str, sql.SQL] = {
    "network": sql.SQL("network = lower(%(network)s)"),
    "kind": sql.SQL("kind = lower(%(kind)s)"),
    "statuses": sql.SQL("status = ANY (%(statuses)s)"),
}
ORDERS: dict[Order, sql.SQL] = {"newest": sql.SQL("position DESC"), "soonest": sql.SQL("respond_by, position")}
# What is read of one triple, and in which order. By position it is what lies between two ends of the index, not what
# equals: then no other index looks as if it gave that order, such as that of all positions, along which a triple that
# was frequent once lies behind everything that came since.
NEWEST = "a.network DESC, a.kind DESC, a.status DESC, a.position DESC"
OLDEST = "a.network, a.kind, a.status, a.position"
BETWEEN = """(a.network, a.kind, a.status, a.position)
    BETWEEN (triples.network, triples.kind, triples.status, %(low)s::bigint)
        AND (triples.network, triples.kind, triples.status, %(high)s::bigint)"""
SOONEST = """a.network = triples.network AND a.kind = triples.kind AND a.status = triples.status
    AND a.respond_by IS NOT NULL AND (a.respond_by, a.position) > (%(moment)s, %(position)s)"""
TRIPLES = sql.SQL("""
    WITH RECURSIVE triples AS (
        (SELECT network, kind, status FROM alerts ORDER BY network, kind, status LIMIT 1)
        UNION ALL
        SELECT following.* FROM triples last CROSS JOIN LATERAL (
            SELECT network, kind, status FROM alerts
            WHERE (network, kind, status) > (last.network, last.kind, last.status)
            ORDER BY network, kind, status LIMIT 1
        ) following
    )
""")
SELECT_TRIPLES = TRIPLES + sql.SQL("SELECT network, kind, status FROM triples LIMIT 500")
# An array, so that the few are looked up by their ids: a join may be made as a walk over all alerts in their order.
WALK = sql.SQL("""
    , wanted AS (
        SELECT first.id FROM triples CROSS JOIN LATERAL (
            SELECT a.id, a.position, a.respond_by FROM alerts a
            WHERE {on_alert} ORDER BY {first} LIMIT %(limit)s
        ) first
        WHERE {on_triple} ORDER BY {order} LIMIT %(limit)s
    )
    SELECT * FROM alerts WHERE id = ANY (ARRAY(SELECT id FROM wanted)) ORDER BY {order} LIMIT %(limit)s
""")
COUNT_DUE = TRIPLES + sql.SQL("""
    SELECT count(*) AS due FROM triples CROSS JOIN LATERAL (
        SELECT FROM alerts a
        WHERE a.network = triples.network AND a.kind = triples.kind AND a.status = triples.status
            AND a.respond_by > now() AND a.respond_by <= now() + make_interval(secs => %(seconds)s) LIMIT %(bound)s
    ) due
    WHERE status = ANY (%(statuses)s)
""")
