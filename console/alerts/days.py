"""Lists of a time alone, however many alerts there are: of each day no more is read than is shown, and then merged.

Positions follow arrival only roughly: a journal that was long in draining, a rejection that was replayed. So no place
in the list is where a time begins, and every day has to be asked. There are few of them.
"""

from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from console.connections import Database


@dataclass(frozen=True, slots=True)
class Span:
    """Between which positions, both included, everything lies that was received within some days."""

    low: int = 0
    high: int = 2**63 - 1


def find_span(database: Database, received_after: datetime | None, received_before: datetime | None) -> Span:
    """Return the positions of all days of a time: what is asked for besides is looked for only there.

    There lie alerts of other times, too, mostly few: what came late was stored among what came later.
    """
    values = {"received_after": received_after, "received_before": received_before}
    row = database.execute(FIND_SPAN, values, prepare=False).fetchone() or {}
    return Span(row["low"], row["high"]) if row["low"] is not None else Span(1, 0)


# Bounds that are not given are null: then the first day and the last day that there are bound the list.
DAYS = """
        generate_series(
            greatest(date_bin('1 day', %(received_after)s::timestamptz, 'epoch'),
                     (SELECT min(date_bin('1 day', received_at, 'epoch')) FROM alerts)),
            least(date_bin('1 day', %(received_before)s::timestamptz, 'epoch'),
                  (SELECT max(date_bin('1 day', received_at, 'epoch')) FROM alerts)),
            interval '24 hours'
        ) AS days (day)
"""
FIND_SPAN = sql.SQL("""
    SELECT min(first.position) AS low, max(last.position) AS high
    FROM {days}
    CROSS JOIN LATERAL (
        SELECT position FROM alerts
        WHERE date_bin('1 day', received_at, 'epoch') = days.day ORDER BY position LIMIT 1
    ) AS first
    CROSS JOIN LATERAL (
        SELECT position FROM alerts
        WHERE date_bin('1 day', received_at, 'epoch') = days.day ORDER BY position DESC LIMIT 1
    ) AS last
""").format(days=sql.SQL(DAYS))
WALK_DAYS = sql.SQL("""
    WITH places AS (
        SELECT found.position
        FROM {days}
        CROSS JOIN LATERAL (
            SELECT position FROM alerts
            WHERE date_bin('1 day', received_at, 'epoch') = days.day AND position BETWEEN %(low)s AND %(high)s
                AND (%(received_after)s::timestamptz IS NULL OR received_at >= %(received_after)s)
                AND (%(received_before)s::timestamptz IS NULL OR received_at < %(received_before)s)
            ORDER BY position {direction} LIMIT %(limit)s
        ) AS found
        ORDER BY found.position {direction} LIMIT %(limit)s
    )
    SELECT * FROM alerts WHERE position = ANY (ARRAY(SELECT position FROM places)) ORDER BY position {direction}
""")
OLDEST_OF_DAYS = WALK_DAYS.format(days=sql.SQL(DAYS), direction=sql.SQL("ASC"))
NEWEST_OF_DAYS = WALK_DAYS.format(days=sql.SQL(DAYS), direction=sql.SQL("DESC"))
