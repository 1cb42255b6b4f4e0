"""The door's log: one line per request, on standard output; JSON, unless LOG_FORMAT wants it for people."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

from schemas.settings.secret import ConfigurationError
from schemas.telemetry.log_format import is_for_people, render_for_people


def open_log() -> Any:  # noqa: ANN401 - structlog's loggers are of any type
    """Return a logger that writes whole lines. Raises ConfigurationError."""
    readable = is_for_people()
    return structlog.wrap_logger(
        structlog.WriteLogger(sys.stdout) if readable else structlog.BytesLogger(sys.stdout.buffer),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            render_for_people("at") if readable else structlog.processors.JSONRenderer(serializer=write_line),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),  # the quickest there is
        cache_logger_on_first_use=True,
    ).bind(part="ingress")


def open_request_log() -> Callable[[str, dict[str, Any]], None]:
    """Return what writes an event and its fields as the log would, without its detours: one line for every request."""
    if is_for_people():
        log = open_log()
        return lambda event, fields: log.info(event, **fields)
    write = structlog.BytesLogger(sys.stdout.buffer).msg

    def write_request(event: str, fields: dict[str, Any]) -> None:
        at = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        write(orjson.dumps({"part": "ingress", **fields, "event": event, "level": "info", "at": at}))

    return write_request


def explain(error: Exception) -> str:
    """Return why something failed: a fault of the configuration in its own words, a surprise by its type and place.

    What a surprise says might quote what must not be logged.
    """
    if isinstance(error, ConfigurationError):
        return " ".join(str(error).split())
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "unknown" if trace is None else f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
    return f"{type(error).__name__} at {place}"


def write_line(event: dict[str, Any], **_options: object) -> bytes:
    """Serialise one line."""
    return orjson.dumps(event, default=str)
