"""Rows for several tables come out as they went in, whether they went by one statement or by COPY."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workers.database.connections import connect_database
from workers.database.loading import FEW, Load, load_rows
from workers.intake.announce import EVENT_DOCUMENTS
from workers.intake.columns import ALERT_DOCUMENTS
from workers.settings import Workshop

TEXTS = st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
PAIR = st.tuples(TEXTS, TEXTS)
NUMBER = st.tuples(st.integers(-(2**63), 2**63 - 1).map(str))
PAIRS = st.lists(PAIR, max_size=3) | st.lists(PAIR, min_size=FEW - 1, max_size=FEW + 2)
NUMBERS = st.lists(NUMBER, max_size=3) | st.lists(NUMBER, min_size=FEW - 1, max_size=FEW + 2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(pairs=PAIRS, numbers=NUMBERS)
def test_rows_of_two_tables_come_out_as_they_went_in(
    workshop: Workshop, pairs: list[tuple[str | None, str | None]], numbers: list[tuple[str]]
) -> None:
    """Few or many, of both tables, of one or of none: every text is there, in order, as what its column is."""
    with connect_database(workshop.database_url, "test") as database:
        database.execute("CREATE TEMPORARY TABLE pairs (n bigint GENERATED ALWAYS AS IDENTITY, a text, b text)")
        database.execute("CREATE TEMPORARY TABLE numbers (n bigint GENERATED ALWAYS AS IDENTITY, v bigint)")
        load_rows(database, Load("pairs", ("a", "b"), pairs), Load("numbers", ("v",), numbers))
        found_pairs = database.execute("SELECT a, b FROM pairs ORDER BY n").fetchall()
        found_numbers = database.execute("SELECT v FROM numbers ORDER BY n").fetchall()
    assert [tuple(row.values()) for row in found_pairs] == pairs
    assert [(str(row["v"]),) for row in found_numbers] == numbers


@pytest.mark.parametrize(("own", "others"), [(1, 1), (FEW, FEW), (FEW, FEW + 1), (FEW + 1, FEW), (FEW + 1, FEW + 1)])
def test_rows_may_refer_to_those_of_an_earlier_table(workshop: Workshop, own: int, others: int) -> None:
    """A row of a later table may refer to one that goes in with it, by either way."""
    ids = [(str(number),) for number in range(own)]
    references = [(str(number % own),) for number in range(others)]
    with connect_database(workshop.database_url, "test") as database:
        database.execute("CREATE TEMPORARY TABLE own (id bigint PRIMARY KEY)")
        database.execute("CREATE TEMPORARY TABLE others (id bigint REFERENCES own)")
        load_rows(database, Load("own", ("id",), ids), Load("others", ("id",), references))
        assert database.execute("SELECT id FROM others").rowcount == others


@pytest.mark.parametrize("rows", [1, FEW, FEW + 1])
def test_text_is_what_its_column_takes_it_for(workshop: Workshop, rows: int) -> None:
    """Documents, lists, bytes and moments are what they are by either way, also a text that looks like a document."""
    given = ('{"a": [1.50, "\\\\n"]}', '{"a": 1}', "{x,y}", "\\x00ff", "2026-11-30T00:00:00Z", "t")
    load = Load("kinds", ("doc", "said", "list", "raw", "at", "yes"), pattern(given, rows), frozenset({"doc"}))
    with connect_database(workshop.database_url, "test") as database:
        database.execute(
            "CREATE TEMPORARY TABLE kinds (doc jsonb, said text, list text[], raw bytea, at timestamptz, yes boolean)"
        )
        load_rows(database, load)
        found = [tuple(row.values()) for row in database.execute("SELECT * FROM kinds").fetchall()]
    moment = datetime(2026, 11, 30, tzinfo=UTC)
    assert found == pattern(({"a": [1.5, "\\n"]}, '{"a": 1}', ["x", "y"], b"\0\xff", moment, True), rows)


def pattern(row: tuple[Any, ...], rows: int) -> list[tuple[Any, ...]]:
    """Return so many rows: every other one is all null."""
    return ([row, (None,) * len(row)] * rows)[:rows]


@pytest.mark.parametrize(
    ("table", "documents"),
    [
        ("alerts", ALERT_DOCUMENTS),
        ("events", EVENT_DOCUMENTS),
        ("endings", set()),
        ("raw_bodies", set()),
        ("outbox", set()),
    ],
)
def test_documents_are_those_of_the_table(workshop: Workshop, table: str, documents: set[str]) -> None:
    """Each column of JSON in a table that is loaded is said to be one: else few rows had a text in it."""
    with connect_database(workshop.database_url, "test") as database:
        found = database.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND data_type LIKE 'json%%'",
            [table],
        )
        assert {row["column_name"] for row in found} == documents
