"""Refusals: what PostgreSQL says of a row and not of itself, and conflicts, after which a transaction is repeated."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import psycopg
from psycopg import errors

# Its values, a constraint, too large for an index, a trigger's no.
REFUSALS = (psycopg.DataError, psycopg.IntegrityError, errors.ProgramLimitExceeded, errors.RaiseException)
# Classes of errors of the server, the line, the session, the tables, or of a conflict: whatever codes are new in them.
OTHERS = {
    "08", "0A", "25", "26", "28", "2D", "3B", "3D", "3F", "40", "42", "53", "55", "57", "58", "72", "F0", "HV", "XX",
}  # fmt: skip
BROKEN = "XX"  # the class of "internal error": a damaged page or index entry, perhaps of one alert only

CONFLICT_ATTEMPTS = 5

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def is_refusal(error: psycopg.Error) -> bool:
    """Say whether PostgreSQL refuses what it was given. A code that is not its own is that of somebody's trigger."""
    if isinstance(error, REFUSALS):
        return True
    if error.sqlstate is None or error.sqlstate[:2] in OTHERS:
        return False
    try:
        errors.lookup(error.sqlstate)
    except KeyError:
        return True
    return False


def concerns_rows(error: psycopg.Error) -> bool:
    """Say whether another row may be stored all the same: one is refused, or the server breaks over it."""
    return is_refusal(error) or (error.sqlstate or "").startswith(BROKEN)


def describe(error: psycopg.Error) -> str:
    """Return the name and code of an error, without what it quotes."""
    return f"{type(error).__name__} {error.sqlstate or ''}".strip()


def leave_out_rows(error: psycopg.Error) -> psycopg.Error:
    """Return an error whose words quote no row, as PostgreSQL's DETAIL and CONTEXT do: the log shows what is raised.

    What is said in the first line of a refusal may hold the value, too.
    """
    said = error.diag.message_primary
    if said is not None:
        error.args = (describe(error) if is_refusal(error) else f"{describe(error)}: {said}",)
    return error


def retried_on_conflict(commit: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Repeat a transaction that PostgreSQL broke off in favour of another (deadlock, serialization failure)."""

    @wraps(commit)
    def repeat(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        for _attempt in range(CONFLICT_ATTEMPTS - 1):
            try:
                return commit(*args, **kwargs)
            except (errors.DeadlockDetected, errors.SerializationFailure):
                continue
        return commit(*args, **kwargs)

    return repeat
