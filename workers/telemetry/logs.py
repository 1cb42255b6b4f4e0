"""Logs of the workshop: a line an event on standard error, Celery's own too; JSON unless LOG_FORMAT says otherwise."""

import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

import orjson
import structlog

from schemas.settings.secret import ConfigurationError
from schemas.telemetry.log_format import is_for_people, render_for_people


class Lines:
    """Where lines are written, one by one or several at once: to write lets other threads run, each time.

    structlog calls it under a lock of its own. So nothing here waits for anything.
    """

    def __init__(self) -> None:
        self.file: TextIO = sys.stderr
        self.own = threading.local()

    def write(self, text: str) -> None:
        """Write some text, or keep it."""
        kept: list[str] | None = getattr(self.own, "kept", None)
        if kept is None:
            self.file.write(text)
        else:
            kept.append(text)

    def flush(self) -> None:
        """Have what is not kept arrive."""
        if getattr(self.own, "kept", None) is None:
            self.file.flush()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Keep what this thread writes inside, and write it at the end."""
        kept: list[str] = []
        self.own.kept = kept
        try:
            yield
        finally:
            self.own.kept = None
            if kept:
                self.file.write("".join(kept))
                self.file.flush()


LINES = Lines()


def configure_logs(**_signal: object) -> None:
    """Have structlog and the standard library write the same lines. Connected to Celery's `setup_logging`.

    Our own events do not go by way of the standard library, which costs as much as signing and composing a delivery.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    LINES.file = sys.stderr
    structlog.configure(
        processors=[*shared, *render_lines()],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", LINES)),
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
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=write_line)]


def write_line(event: dict[str, Any], **options: Any) -> str:  # noqa: ANN401 - json's own
    """Serialise one line, whatever stands in it."""
    try:
        return orjson.dumps(event, **options).decode()
    except TypeError:  # a number beyond 64 bits, or half of a pair of surrogates
        return json.dumps(event, **options)
