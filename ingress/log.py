"""The door's log: one line per request, on standard output; JSON, unless LOG_FORMAT wants it for people."""

import sys
from typing import Any

import orjson
import structlog

from schemas.log_format import is_for_people, render_for_people


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


def write_line(event: dict[str, Any], **_options: object) -> bytes:
    """Serialise one line."""
    return orjson.dumps(event, default=str)
