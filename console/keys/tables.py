"""The tables with sealed content. What is sealed is bound to its own row, so that it opens nowhere else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from schemas.downstream.subscription import rejection_binding, subscription_binding
from schemas.journal.envelope import binding

Row = Mapping[str, Any]


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
