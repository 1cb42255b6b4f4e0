"""A tick: what each task of ours is. It raises what its work raises, but for what PostgreSQL quotes of rows."""

from typing import Any

import psycopg
from celery import Task

from workers.database.refusals import leave_out_rows


class Tick(Task):  # type: ignore[type-arg]  # generic for the type checker only
    """Celery logs whatever a task raises, and what led to it: so neither may hold anything of an alert."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the task takes and returns
        """Run the task."""
        try:
            return super().__call__(*args, **kwargs)
        except psycopg.Error as error:
            raise leave_out_rows(error) from None
