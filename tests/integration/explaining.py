"""How PostgreSQL reads what is asked: a connection that notes the plan of everything, and what a plan tells."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql

from tests.bench.prefill import prefill


class Explaining(psycopg.Connection[Any]):
    """A connection that notes the plan of everything it executes, with what was read: each is executed twice."""

    plans: list[dict[str, Any]]

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:  # noqa: ANN401 - psycopg's signature
        """Explain, then execute. What writes is explained without being executed."""
        text = query.as_string(self) if isinstance(query, sql.Composable) else query
        text = text.decode() if isinstance(text, bytes) else text
        if text.lstrip().startswith(("SELECT", "WITH")):
            analyze = "" if "INSERT" in text else "ANALYZE, "
            explain = f"EXPLAIN ({analyze}FORMAT JSON) {text}".encode()
            (row,) = super().execute(explain, params, **options).fetchall()
            self.plans.append(row["QUERY PLAN"][0]["Plan"])
        return super().execute(query, params, **options)

    def count_discarded(self) -> float:
        """Return how many rows all that was executed has read for nothing."""
        return sum(sum(list_discarded(plan)) for plan in self.plans)


def list_scans(plan: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield how each relation of a plan is read."""
    if "Relation Name" in plan:
        yield plan["Node Type"], plan["Relation Name"]
    for part in plan.get("Plans", []):
        yield from list_scans(part)


def list_discarded(plan: Mapping[str, Any]) -> Iterator[float]:
    """Yield how many rows each part of a plan has read for nothing."""
    removed = sum(plan.get(f"Rows Removed by {by}", 0) for by in ("Filter", "Join Filter", "Index Recheck"))
    yield removed * plan.get("Actual Loops", 0)
    for part in plan.get("Plans", []):
        yield from list_discarded(part)


def list_read(plan: Mapping[str, Any]) -> Iterator[float]:
    """Yield how many rows each part of a plan has given."""
    yield plan["Actual Rows"] * plan["Actual Loops"]
    for part in plan.get("Plans", []):
        yield from list_read(part)


def count_rows(database: Explaining, relation: str) -> int:
    """Return how many rows a relation has: an empty partition is read from end to end, and well so."""
    counted = database.execute(sql.SQL("SELECT count(*) FROM {relation}").format(relation=sql.Identifier(relation)))
    return int(counted.fetchone()["count"])


@contextmanager
def fill_month(postgres_url: str, alerts: int) -> Iterator[str]:
    """Return the address of a database that has run for a month, until the block ends."""
    server, _, template = postgres_url.rpartition("/")
    name = f"test_{uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY".encode())
        try:
            prefill(f"{server}/{name}", alerts)
            yield f"{server}/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
