"""The spans of one worker process (OpenTelemetry), while tracing is on."""

from functools import cache
from typing import TYPE_CHECKING

import structlog

from schemas.telemetry.tracing import open_spans

if TYPE_CHECKING:
    from schemas.telemetry.spans import Spans

log = structlog.get_logger()


@cache
def spans() -> "Spans | None":
    """Return what this process tells its spans to. Asked for by the work itself, so after the fork."""
    return open_spans("workers", log)


def end_spans(**_signal: object) -> None:
    """Send what has not been sent yet. Connected to Celery's `worker_process_shutdown` and `worker_shutdown`."""
    if spans.cache_info().currsize and (told := spans()) is not None:
        told.close()
