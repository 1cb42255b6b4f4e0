"""Read alerts: lists that can be walked while drains write.

Two orders. "oldest" lists alerts as they were stored, up to the horizon below which nothing can appear any more (see
deploy/postgres/0004.positions.sql): a reader who walks it, and comes back with `resume_cursor`, gets each alert exactly
once. "newest" is for people: it begins with the latest, and what is stored meanwhile is simply not in it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import sql

from console.alerts.days import NEWEST_OF_DAYS, OLDEST_OF_DAYS, Span, find_span
from console.alerts.triples import BETWEEN, NEWEST, OLDEST, TRIPLES, WALK
from console.connections import Database
from console.paging import Page, check_place, read_cursor, write_cursor
from schemas.alert.alert import Alert
from schemas.alert.presented import present_alert

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
    span = bound_positions(database, wanted)
    low, high = (place + 1, horizon) if order == "oldest" else (1, min(place - 1, horizon))
    bounds = {"low": min(max(low, span.low), LAST_POSITION), "high": max(min(high, span.high), 0), "limit": limit + 1}
    rows = database.execute(statement, values | bounds, prepare=False).fetchall()
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


def bound_positions(database: Database, wanted: Wanted) -> Span:
    """Return between which positions the wanted alerts lie, where a time is asked for beside something else.

    A time alone has an index of its own, and what is named by its network's id is found without a time.
    """
    asked = list_asked(wanted).keys()
    if not asked & TIMES or asked <= TIMES or "provider_alert_id" in asked:
        return Span()
    return find_span(database, wanted.received_after, wanted.received_before)


def select_alerts(wanted: Wanted, order: Order) -> tuple[sql.Composed, dict[str, Any]]:
    """Return the statement that lists the wanted alerts between two positions, and its values but these."""
    asked = list_asked(wanted)
    if asked and asked.keys() <= TIMES:
        return OLDEST_OF_DAYS if order == "oldest" else NEWEST_OF_DAYS, dict.fromkeys(TIMES) | asked
    if asked.keys() & TRIPLE and asked.keys() <= TRIPLE | TIMES:
        parts = {
            "on_triple": join_clauses(asked.keys() & TRIPLE),
            "on_alert": join_clauses(asked.keys() - TRIPLE, sql.SQL(BETWEEN)),
            "first": sql.SQL(OLDEST if order == "oldest" else NEWEST),
            "order": ORDERS[order],
        }
        return TRIPLES + WALK.format(**parts), asked
    if "merchant_id" in asked and "provider_alert_id" not in asked:
        conditions = join_clauses(asked.keys() - {"merchant_id"}, OF_MERCHANT)
        return SELECT.format(conditions=conditions, order=MERCHANT_ORDERS[order]), asked
    return SELECT.format(conditions=join_clauses(asked, PLACE), order=ORDERS[order]), asked


def list_asked(wanted: Wanted) -> dict[str, Any]:
    """Return what is asked for, by name."""
    return {name: value for name in CLAUSES if (value := getattr(wanted, name)) is not None}


def join_clauses(names: Iterable[str], *others: sql.SQL) -> sql.Composed:
    """Return the condition of all these."""
    return sql.SQL(" AND ").join([*others, *(CLAUSES[name] for name in names)])


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
TRIPLE = {"provider", "kind", "status"}  # what an index begins with: console.alerts.triples
ORDERS: dict[Order, sql.SQL] = {"oldest": sql.SQL("position"), "newest": sql.SQL("position DESC")}
PLACE = sql.SQL("position BETWEEN %(low)s AND %(high)s")
# Between two ends of its index, and in its order, as in `triples`.
OF_MERCHANT = sql.SQL(
    "(merchant_id, position) BETWEEN (%(merchant_id)s, %(low)s::bigint) AND (%(merchant_id)s, %(high)s::bigint)"
)
MERCHANT_ORDERS: dict[Order, sql.SQL] = {
    "oldest": sql.SQL("merchant_id, position"),
    "newest": sql.SQL("merchant_id DESC, position DESC"),
}

SELECT_HORIZON = """
    SELECT least(alerts_horizon(), (SELECT coalesce(max(position), 0) FROM alerts)) AS horizon, last_position() AS last
"""
SELECT = sql.SQL("SELECT * FROM alerts WHERE {conditions} ORDER BY {order} LIMIT %(limit)s")
