"""How log lines look: LOG_FORMAT is `json` (one object a line, for machines) or `console` (for people)."""

import os

from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.typing import Processor

from schemas.settings.secret import ConfigurationError

VARIABLE = "LOG_FORMAT"


def is_for_people() -> bool:
    """Tell whether people are to read the log. Raises ConfigurationError.

    `alert-intake audit --acks` reads the door's log as JSON.
    """
    wanted = os.environ.get(VARIABLE) or "json"
    if wanted not in {"json", "console"}:
        raise ConfigurationError(f"{VARIABLE} is {wanted!r}; it is json or console")
    return wanted == "console"


def render_for_people(timestamp: str = "timestamp") -> Processor:
    """Return what turns an event into a line for people. A traceback shows no local variables: they hold secrets."""
    return ConsoleRenderer(colors=False, sort_keys=False, timestamp_key=timestamp, exception_formatter=plain_traceback)
