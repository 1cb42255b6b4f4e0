"""Logs of the workshop: a line an event on standard error, Celery's own too; JSON unless LOG_FORMAT says otherwise."""

import logging
import sys

import structlog

from schemas.log_format import is_for_people, render_for_people
from schemas.secret import ConfigurationError


def configure_logs(**_signal: object) -> None:
    """Send structlog and the standard library through one formatter. Connected to Celery's `setup_logging`."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *render_lines(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for ticking in ("celery.app.trace", "celery.worker.strategy"):  # a line for every tick would drown the rest
        logging.getLogger(ticking).setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)  # its warnings quote URLs, which may hold a token


def render_lines() -> list[structlog.typing.Processor]:
    """Return what turns an event into a line. A setting that cannot be used ends the program with one line."""
    try:
        readable = is_for_people()
    except ConfigurationError as error:
        sys.exit(f"alert-intake worker: {error}")
    if readable:
        return [render_for_people()]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
