"""Rows for several tables come out as they went in, whether they went by one statement or by COPY."""

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workers.database.connections import connect_database
from workers.database.loading import FEW, Load, load_rows
from workers.settings import Workshop

TEXTS = st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), max_size=FEW + 2)
NUMBERS = st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1).map(str)), max_size=FEW + 2)


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


@pytest.mark.parametrize("rows", [1, FEW, FEW + 1])
def test_rows_may_refer_to_those_of_an_earlier_table(workshop: Workshop, rows: int) -> None:
    """A row of a later table may refer to one that goes in with it, by either way."""
    ids = [(str(number),) for number in range(rows)]
    with connect_database(workshop.database_url, "test") as database:
        database.execute("CREATE TEMPORARY TABLE own (id bigint PRIMARY KEY)")
        database.execute("CREATE TEMPORARY TABLE others (id bigint REFERENCES own)")
        load_rows(database, Load("own", ("id",), ids), Load("others", ("id",), ids))
        assert database.execute("SELECT id FROM others").rowcount == rows


@pytest.mark.parametrize("rows", [1, FEW, FEW + 1])
def test_text_is_what_its_column_takes_it_for(workshop: Workshop, rows: int) -> None:
    """Documents, lists, bytes and moments are what they are by either way, also a text that looks like a document."""
    given = ('{"a": [1.50, "\\\\n"]}', '{"a": 1}', "{x,y}", "\\x00ff", "2026-11-30T00:00:00Z", "t")
    load = Load("kinds", ("doc", "said", "list", "raw", "at", "yes"), [given, (None,) * 6] * rows, frozenset({"doc"}))
    with connect_database(workshop.database_url, "test") as database:
        database.execute(
            "CREATE TEMPORARY TABLE kinds (doc jsonb, said text, list text[], raw bytea, at timestamptz, yes boolean)"
        )
        load_rows(database, load)
        found = [tuple(row.values()) for row in database.execute("SELECT * FROM kinds").fetchall()]
    moment = datetime(2026, 11, 30, tzinfo=UTC)
    assert found == [({"a": [1.5, "\\n"]}, '{"a": 1}', ["x", "y"], b"\0\xff", moment, True), (None,) * 6] * rows
