"""What a request asks for is read strictly: query strings, times, cursors."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from console.moments import parse_moment
from console.paging import BadCursor, read_cursor, write_cursor
from console.web.asked import read_limit, read_order, read_query, read_wanted
from console.web.problem import Problem


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20T17:11:05Z", datetime(2026, 11, 20, 17, 11, 5, tzinfo=UTC)),
        ("2026-11-20T17:11:05.250+02:00", datetime(2026, 11, 20, 15, 11, 5, 250000, tzinfo=UTC)),
        ("2026-11-20T17:11:05 02:00", datetime(2026, 11, 20, 15, 11, 5, tzinfo=UTC)),
        ("2026-11-20 17:11:05", datetime(2026, 11, 20, 17, 11, 5, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
    ],
)
def test_times_are_read_as_people_and_programs_write_them(text: str, moment: datetime) -> None:
    """ISO 8601 with a zone or without (UTC), a bare date, and a + that a query string turned into a space."""
    assert parse_moment(text) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "0001-01-01T00:00:00+14:00", "1700000000"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """A filter that cannot be read is an error, also where shifting to UTC leaves the calendar."""
    with pytest.raises(ValueError, match="ISO 8601"):
        parse_moment(text)


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    """No text raises anything else."""
    try:
        moment = parse_moment(text)
    except ValueError:
        return
    assert moment.tzinfo is UTC


def test_cursor_is_read_back_in_its_own_list_only() -> None:
    """A place comes back as it was, and is refused in another list or order."""
    cursor = write_cursor("alerts oldest", 12)
    assert read_cursor("alerts oldest", cursor, int) == [12]
    with pytest.raises(BadCursor):
        read_cursor("alerts newest", cursor, int)
    with pytest.raises(BadCursor):
        read_cursor("alerts oldest", cursor, str)


@given(st.text(max_size=60))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    """No text raises anything but BadCursor."""
    with pytest.raises(BadCursor):
        read_cursor("alerts oldest", text, int)


@pytest.mark.parametrize(
    "query",
    [[("stauts", "open")], [("status", "open"), ("status", "new")], [("status", "a\0b")], [("status", "x" * 1001)]],
)
def test_a_query_that_cannot_be_meant_is_refused(query: list[tuple[str, str]]) -> None:
    """A misspelt, doubled or overlong parameter would otherwise answer with everything."""
    with pytest.raises(Problem):
        read_query(MultiDict(query), {"status", "limit"})


@pytest.mark.parametrize("limit", ["0", "501", "-1", "1e2", "\u0661", "9" * 5000, " 1"])
def test_a_limit_beyond_its_bounds_is_refused(limit: str) -> None:
    """A limit is a number from 1 to 500."""
    with pytest.raises(Problem, match="limit"):
        read_limit({"limit": limit})


def test_what_is_asked_for_is_read() -> None:
    """Filters, limit and order come out as values; what is not given is left open."""
    asked = read_query(MultiDict([("status", "open"), ("received_after", "2026-11-20"), ("kind", "")]),
                       {"status", "received_after", "kind"})  # fmt: skip
    wanted = read_wanted(asked)
    assert (wanted.status, wanted.kind, wanted.provider) == ("open", None, None)
    assert wanted.received_after == datetime(2026, 11, 20, tzinfo=UTC)
    assert (read_limit({}), read_limit({"limit": "500"}), read_order({}), read_order({"order": "newest"})) == (
        100, 500, "oldest", "newest",
    )  # fmt: skip
    with pytest.raises(Problem, match="received_before"):
        read_wanted({"received_before": "soon"})
