"""The console's log: one line an event on standard error; JSON, unless LOG_FORMAT wants it for people."""

import sys

import structlog

from schemas.telemetry.log_format import is_for_people, render_for_people


def configure_logs() -> None:
    """Let structlog write lines. Idempotent. Raises ConfigurationError."""
    json = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([render_for_people()] if is_for_people() else json),
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
