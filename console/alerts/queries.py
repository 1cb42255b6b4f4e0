"""Read alerts: lists that can be walked while drains write.

Two orders. "oldest" lists alerts as they were stored, up to the horizon below which nothing can appear any more (see
deploy/postgres/0004.positions.sql): a reader who walks it, and comes back with `resume_cursor`, gets each alert exactly
once. "newest" is for people: it begins with the latest, and what is stored meanwhile is simply not in it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import sql

from console.alerts.days import NEWEST_OF_DAYS, OLDEST_OF_DAYS
from console.connections import Database
from console.paging import Page, check_place, read_cursor, write_cursor
from schemas.alert import Alert
from schemas.presented import present_alert

LAST_POSITION = 2**63 - 1

Order = Literal["oldest", "newest"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts are asked for. `received_after` is included, `received_before` is not, so windows fit together."""

    provider: str | None = None
    provider_alert_id: str | None = None
    kind: str | None = None
    status: str | None = None
    merchant_id: str | None = None
    received_after: datetime | None = None
    received_before: datetime | None = None


def list_alerts(
    database: Database, wanted: Wanted, limit: int = 100, cursor: str | None = None, order: Order = "oldest"
) -> Page:
    """Return a page of alerts as the API presents them. Raises BadCursor, also for a place that is still to come.

    A look-up by `provider_alert_id` is not held back by the horizon: it finds what is stored, at once.
    """
    kind = f"alerts {order}"
    start = 0 if order == "oldest" else LAST_POSITION
    (place,) = read_cursor(kind, cursor, int) if cursor else (start,)
    horizon = LAST_POSITION
    if order == "oldest" and wanted.provider_alert_id is None:
        horizon, last = read_horizon(database)  # a statement of its own, before the one that reads the rows
        check_place(kind, place, last)
    statement, values = select_alerts(wanted, order)
    rows = database.execute(
        statement, values | {"place": place, "horizon": horizon, "limit": limit + 1}, prepare=False
    ).fetchall()
    more, rows = len(rows) > limit, rows[:limit]
    presented = [present_alert(Alert.from_row(row)) for row in rows]
    reached = rows[-1]["position"] if rows else place
    following = write_cursor(kind, reached) if more else None
    if horizon == LAST_POSITION:
        return Page(presented, following)
    return Page(presented, following, write_cursor(kind, reached if more else max(horizon, reached)))


def read_horizon(database: Database) -> tuple[int, int]:
    """Return the position up to which no alert can appear any more, and the last one drawn.

    Not beyond the last alert that is there: a number that was drawn and not used may come again after a crash.
    """
    row = database.execute(SELECT_HORIZON).fetchone()
    return (int(row["horizon"]), int(row["last"])) if row else (0, 0)


def select_alerts(wanted: Wanted, order: Order) -> tuple[sql.Composed, dict[str, Any]]:
    """Return the statement that lists the wanted alerts, and its values but the place."""
    asked = {name: value for name in CLAUSES if (value := getattr(wanted, name)) is not None}
    if asked and asked.keys() <= TIMES:
        return OLDEST_OF_DAYS if order == "oldest" else NEWEST_OF_DAYS, dict.fromkeys(TIMES) | asked
    statement = SELECT_OLDEST if order == "oldest" else SELECT_NEWEST
    conditions, values = filter_alerts(wanted)
    return statement.format(conditions=conditions), values


def filter_alerts(wanted: Wanted) -> tuple[sql.Composable, dict[str, Any]]:
    """Return the condition that selects the wanted alerts, and its values."""
    clauses: list[sql.Composable] = [sql.SQL("true")]
    values: dict[str, Any] = {}
    for name, clause in CLAUSES.items():
        value = getattr(wanted, name)
        if value is not None:
            clauses.append(clause)
            values[name] = value
    return sql.SQL(" AND ").join(clauses), values


CLAUSES: dict[str, sql.SQL] = {
    "provider": sql.SQL("network = lower(%(provider)s)"),
    "provider_alert_id": sql.SQL("provider_alert_id = %(provider_alert_id)s"),
    "kind": sql.SQL("kind = lower(%(kind)s)"),
    "status": sql.SQL("status = lower(%(status)s)"),
    "merchant_id": sql.SQL("merchant_id = %(merchant_id)s"),
    "received_after": sql.SQL("received_at >= %(received_after)s"),
    "received_before": sql.SQL("received_at < %(received_before)s"),
}

TIMES = {"received_after", "received_before"}

SELECT_HORIZON = """
    SELECT least(alerts_horizon(), (SELECT coalesce(max(position), 0) FROM alerts)) AS horizon, last_position() AS last
"""
SELECT_OLDEST = sql.SQL(
    "SELECT * FROM alerts WHERE position > %(place)s AND position <= %(horizon)s AND {conditions}"
    " ORDER BY position LIMIT %(limit)s"
)
SELECT_NEWEST = sql.SQL(
    "SELECT * FROM alerts WHERE position < %(place)s AND position <= %(horizon)s AND {conditions}"
    " ORDER BY position DESC LIMIT %(limit)s"
)
