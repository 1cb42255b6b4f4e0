"""What goes in by COPY comes out as it went in."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workers.database.connections import connect_database
from workers.database.copying import NULL, copy_rows
from workers.settings import Workshop

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
AWKWARD = st.text(st.sampled_from(["\\", "N", "n", "\t", "\n", "\r", "\v", ".", "x", "1", "f", NULL, "{", '"', "é"]))
ROWS = st.lists(st.lists(st.none() | TEXTS | AWKWARD, min_size=3, max_size=3), max_size=5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(rows=ROWS)
def test_any_text_comes_out_as_it_went_in(workshop: Workshop, rows: list[list[str | None]]) -> None:
    """Nulls, tabs, line ends, backslashes and every other character that PostgreSQL can hold come out unchanged."""
    with connect_database(workshop.database_url, "test") as database:
        database.execute(
            "CREATE TEMPORARY TABLE copied (n bigint GENERATED ALWAYS AS IDENTITY, a text, b text, c text)"
        )
        copy_rows(database, "copied", ("a", "b", "c"), rows)
        found = database.execute("SELECT a, b, c FROM copied ORDER BY n").fetchall()
    assert [list(row.values()) for row in found] == rows
