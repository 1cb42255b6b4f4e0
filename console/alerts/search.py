"""Search alerts for people: by what somebody can name, by filters, the latest or the soonest deadline first.

Every list is answered from an index, however many alerts there are. There are few triples of network, kind and status
(some dozens): they are found by leaping from one to the next through an index that begins with them, and of each no
more is read than is shown. So a filter that matches one alert in a million costs what a page without filters costs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import sql

from console.alerts.triples import BETWEEN, FILTERS, NEWEST, ORDERS, SOONEST, TRIPLES, WALK, Order
from console.connections import Database
from console.paging import BadCursor, Page, parse_uuid, read_cursor, write_cursor
from schemas.alert.alert import Alert
from schemas.alert.presented import present_alert

LAST_POSITION = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Search:
    """Which alerts are looked for.

    term       what an alert is called by: our id, the network's, ARN, order id, transaction id, merchant id, last four
    statuses   one of these; empty: any
    due_after  for "soonest": later deadlines only; None: those that have passed, too
    """

    term: str | None = None
    network: str | None = None
    kind: str | None = None
    statuses: tuple[str, ...] = ()
    due_after: datetime | None = None


def search_alerts(database: Database, search: Search, order: Order, limit: int = 50, cursor: str | None = None) -> Page:
    """Return a page of alerts as the API presents them. Raises BadCursor.

    "soonest" lists only alerts that have a deadline. What a term names is always listed "newest": a merchant's alerts
    may be many, and no index has the deadlines of each.
    """
    order = "newest" if search.term else order
    values = list_filters(search) | {"limit": limit + 1, **read_place(order, cursor, search.due_after)}
    if search.term:
        statement = search_terms(search)
        values |= {"term": search.term, "id": parse_uuid(search.term)}
    else:
        statement = walk_triples(search, order)
    rows = database.execute(statement, values, prepare=False).fetchall()  # planned for these very values
    more, rows = len(rows) > limit, rows[:limit]
    return Page([present_alert(Alert.from_row(row)) for row in rows], write_place(order, rows[-1]) if more else None)


def read_place(order: Order, cursor: str | None, due_after: datetime | None) -> dict[str, Any]:
    """Return where the list was left, or its beginning, as values of the statement. Raises BadCursor."""
    kind = f"search {order}"
    if order == "newest":
        position = read_cursor(kind, cursor, int)[0] if cursor else LAST_POSITION
        return {"low": 0, "high": min(max(position, 1), LAST_POSITION) - 1}
    if not cursor:
        return {"moment": due_after or datetime.min.replace(tzinfo=UTC), "position": LAST_POSITION if due_after else 0}
    moment, position = read_cursor(kind, cursor, str, int)
    try:
        return {"moment": datetime.fromisoformat(moment).astimezone(UTC), "position": position}
    except (ValueError, OverflowError) as error:
        raise BadCursor("cursor: not a cursor of this search") from error


def write_place(order: Order, row: dict[str, Any]) -> str:
    """Return the cursor behind a row."""
    if order == "newest":
        return write_cursor(f"search {order}", row["position"])
    return write_cursor(f"search {order}", row["respond_by"].isoformat(), row["position"])


def read_alerts(database: Database, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return the alerts of these ids as the API presents them, the latest first."""
    rows = database.execute(READ_ALERTS, {"ids": list(ids)}).fetchall() if ids else []
    return [present_alert(Alert.from_row(row)) for row in rows]


def list_filters(search: Search) -> dict[str, Any]:
    """Return the values of the filters that are set."""
    asked = {"network": search.network, "kind": search.kind, "statuses": list(search.statuses) or None}
    return {name: value for name, value in asked.items() if value is not None}


def walk_triples(search: Search, order: Order) -> sql.Composed:
    """Return the statement that merges the first alerts of every triple that matches."""
    on_triple = sql.SQL(" AND ").join([FILTERS[name] for name in list_filters(search)] or [sql.SQL("true")])
    on_alert, first = (BETWEEN, NEWEST) if order == "newest" else (SOONEST, "respond_by, position")
    return TRIPLES + WALK.format(
        on_triple=on_triple, on_alert=sql.SQL(on_alert), first=sql.SQL(first), order=ORDERS[order]
    )


def search_terms(search: Search) -> sql.Composed:
    """Return the statement that merges the first alerts of everything the term may be."""
    names = TERMS if len(search.term or "") == len("1234") else TERMS[:-1]
    on_alert = sql.SQL(" AND ").join([PLACE, *(FILTERS[name] for name in list_filters(search))])
    branches = [ONE_TERM.format(name=sql.Identifier(name), on_alert=on_alert) for name in names]
    branches += [ONE_MERCHANT.format(on_alert=on_alert), ONE_ID.format(on_alert=on_alert)]
    return BY_TERM.format(branches=sql.SQL(" UNION ").join(branches), order=ORDERS["newest"])


TERMS = ("provider_alert_id", "arn", "merchant_order_id", "transaction_id", "card_last4")
PLACE = sql.SQL("position BETWEEN %(low)s AND %(high)s")
READ_ALERTS = "SELECT * FROM alerts WHERE id = ANY (%(ids)s::uuid[]) ORDER BY position DESC"
BY_TERM = sql.SQL("SELECT * FROM alerts WHERE id = ANY (ARRAY({branches})) ORDER BY {order} LIMIT %(limit)s")
ONE_TERM = sql.SQL(
    "(SELECT id FROM alerts WHERE {name} = %(term)s AND {on_alert} ORDER BY position DESC LIMIT %(limit)s)"
)
# One that has much may have had it long ago: between two ends of its index, as in `triples`.
ONE_MERCHANT = sql.SQL("""
    (SELECT id FROM alerts
     WHERE (merchant_id, position) BETWEEN (%(term)s, %(low)s::bigint) AND (%(term)s, %(high)s::bigint) AND {on_alert}
     ORDER BY merchant_id DESC, position DESC LIMIT %(limit)s)
""")
ONE_ID = sql.SQL("(SELECT id FROM alerts WHERE id = %(id)s AND {on_alert})")
