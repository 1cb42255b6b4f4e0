"""What PostgreSQL says of a row, and what of itself: only the first may cost an alert its place among the stored."""

import psycopg
import pytest
from psycopg import errors

from workers.database.refusals import concerns_rows, is_refusal


def error_of(code: str | None) -> psycopg.Error:
    """Return an error with a code, be it one that psycopg knows or not."""
    try:
        return errors.lookup(code or "")()
    except KeyError:
        error = psycopg.OperationalError()
        error.sqlstate = code
        return error


@pytest.mark.parametrize("code", ["22001", "22P05", "23505", "23514", "54000", "P0001", "ZX001", "U0001"])
def test_values_constraints_and_triggers_refuse_a_row(code: str) -> None:
    """A code that PostgreSQL does not have is that of somebody's trigger."""
    assert is_refusal(error_of(code))


@pytest.mark.parametrize(
    "code", [None, "08006", "25006", "25Z99", "40P01", "40Z99", "42P01", "42Z99", "53100", "55P03", "57014", "58030"]
)
def test_what_the_server_cannot_do_now_refuses_no_row(code: str | None) -> None:
    """Nor does a code of such a class that is newer than we are: the alert waits, and is not rejected."""
    assert not concerns_rows(error_of(code))


def test_what_the_server_breaks_over_is_no_refusal() -> None:
    """It may be about one row only, and is not the row's fault."""
    assert concerns_rows(error_of("XX001"))
    assert not is_refusal(error_of("XX001"))
    assert not is_refusal(error_of("XXZ99"))
