"""Logs of the workshop: one JSON object a line on standard error, Celery's own lines included."""

import logging
import sys

import structlog


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
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for ticking in ("celery.app.trace", "celery.worker.strategy"):  # a line for every tick would drown the rest
        logging.getLogger(ticking).setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)  # its warnings quote URLs, which may hold a token
