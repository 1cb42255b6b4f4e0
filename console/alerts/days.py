"""Lists of a time alone, however many alerts there are: of each day no more is read than is shown, and then merged.

Positions follow arrival only roughly: a journal that was long in draining, a rejection that was replayed. So no place
in the list is where a time begins, and every day has to be asked. There are few of them.
"""

from psycopg import sql

# Bounds that are not given are null: then the first day and the last day that there are bound the list.
WALK_DAYS = sql.SQL("""
    WITH places AS (
        SELECT found.position
        FROM generate_series(
            greatest(date_bin('1 day', %(received_after)s::timestamptz, 'epoch'),
                     (SELECT min(date_bin('1 day', received_at, 'epoch')) FROM alerts)),
            least(date_bin('1 day', %(received_before)s::timestamptz, 'epoch'),
                  (SELECT max(date_bin('1 day', received_at, 'epoch')) FROM alerts)),
            interval '24 hours'
        ) AS days (day)
        CROSS JOIN LATERAL (
            SELECT position FROM alerts
            WHERE date_bin('1 day', received_at, 'epoch') = days.day AND {place}
                AND (%(received_after)s::timestamptz IS NULL OR received_at >= %(received_after)s)
                AND (%(received_before)s::timestamptz IS NULL OR received_at < %(received_before)s)
            ORDER BY position {direction} LIMIT %(limit)s
        ) AS found
        ORDER BY found.position {direction} LIMIT %(limit)s
    )
    SELECT alerts.* FROM alerts JOIN places USING (position) ORDER BY position {direction}
""")
OLDEST_OF_DAYS = WALK_DAYS.format(
    place=sql.SQL("position > %(place)s AND position <= %(horizon)s"), direction=sql.SQL("ASC")
)
NEWEST_OF_DAYS = WALK_DAYS.format(
    place=sql.SQL("position < %(place)s AND position <= %(horizon)s"), direction=sql.SQL("DESC")
)
