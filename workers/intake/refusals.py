"""Refusals: what PostgreSQL says of a row and not of itself, and what becomes of the entry that brought it."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import psycopg
from psycopg import errors

from workers.intake.outcomes import Rejection, Report

# Its values, a constraint, too large for an index, a trigger's no.
REFUSALS = (psycopg.DataError, psycopg.IntegrityError, errors.ProgramLimitExceeded, errors.RaiseException)

CONFLICT_ATTEMPTS = 5

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def reject_unstorable(report: Report, error: psycopg.Error) -> Report:
    """Turn an entry that Postgres refuses, alone, into a rejection. Its body is kept; the row is not quoted."""
    why = f"PostgreSQL refused it: {type(error).__name__} {error.sqlstate or ''}".strip()
    body = report.envelope.body if report.envelope else None
    return Report(report.entry, report.envelope, (Rejection("unstorable", why, body),))


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
