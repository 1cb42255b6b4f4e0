"""Where a worker shows its metrics and where its processes count, decided before the first metric is made."""

import os
import re
import tempfile
from pathlib import Path

from schemas.settings.secret import ConfigurationError
from schemas.telemetry.counting import FOLDER_VARIABLE

BIND_VARIABLE = "WORKER_METRICS_BIND"


def read_bind() -> tuple[str, int] | None:
    """Return host and port of the listener, None when there is to be none. Raises ConfigurationError."""
    text = os.environ.get(BIND_VARIABLE, "")
    if not text:
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigurationError(f"{BIND_VARIABLE} is {text!r}; it is host:port, or :port for every address")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - ":port" says so


def choose_folder() -> None:
    """Give a worker with a listener a folder of its own, named after the listener, unless one is set.

    Not one that belongs to somebody else, who could lay links into it: then one that nobody knew of before.
    """
    bind = os.environ.get(BIND_VARIABLE, "")
    if not bind or os.environ.get(FOLDER_VARIABLE):
        return
    folder = Path(tempfile.gettempdir()) / f"alert-intake-metrics-{re.sub(r'[^0-9A-Za-z]', '-', bind)}"
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        status = folder.lstat()
        if status.st_uid != os.geteuid() or status.st_mode & 0o170777 != 0o040700:
            folder = Path(tempfile.mkdtemp(prefix="alert-intake-metrics-"))
    os.environ[FOLDER_VARIABLE] = str(folder)
