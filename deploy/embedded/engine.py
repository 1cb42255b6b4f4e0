"""What both embedded engines have: a data folder with a lock, a record of who wrote it, a password, a port."""

import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from deploy.embedded.children import NotStarted, stop_children, wait_until
from deploy.embedded.files import write_file

PORTS = range(20000, 32768)
PORT_PATIENCE = 3.0

# What an engine inherits: nothing of the caller's PG*, LD_* or locale settings.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


@dataclass(slots=True)
class Server:
    """A running engine. `url` reaches it with its password; `stop` ends it cleanly within `patience` seconds."""

    name: str
    version: str
    url: str
    port: int
    process: subprocess.Popen[bytes]
    stop_signal: signal.Signals
    patience: float = 8.0

    def stop(self) -> None:
        """End the server. What it had promised to keep is on disk."""
        stop_children([(self.process, self.stop_signal)], self.patience)

    def __enter__(self) -> Self:
        """Leave the running server to the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it with the block."""
        self.stop()


def lock_folder(folder: Path, patience: float) -> int:
    """Take the folder's lock and return its file descriptor, to be inherited by the engine and then closed here.

    The kernel holds the lock while any process has the descriptor, so it is free exactly when the last process of the
    engine is gone, also after a ``kill -9``. Two servers on one folder would both start and spoil each other's files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # the account that PostgreSQL runs as passes through it; each secret in it is closed by itself
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def taken() -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    if wait_until(taken, patience, 0.05):
        return descriptor
    os.close(descriptor)
    raise NotStarted(f"another server is still running on {folder}; end it, or name another folder")


def read_record(folder: Path) -> dict[str, str] | None:
    """Read which engine and version wrote the folder; None for a new one."""
    try:
        record = json.loads((folder / "engine.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return {str(key): str(value) for key, value in record.items()}


def write_record(folder: Path, record: dict[str, str]) -> None:
    """Record which engine and version writes the folder."""
    write_file(folder / "engine.json", json.dumps(record, indent=1) + "\n", 0o644)


def refuse_record(folder: Path, record: dict[str, str], engine: str, version: str) -> NotStarted:
    """Return the refusal to open a folder that an engine wrote whose files this one cannot read."""
    wrote = f"{record.get('engine')} {record.get('version')}"
    return NotStarted(
        f"{folder} was written by {wrote} and cannot be opened by {engine} {version}; install that version again, "
        "or move the folder away to start with an empty one"
    )


def keep_password(folder: Path) -> str:
    """Return the folder's password, made at its first use."""
    file = folder / "password"
    if not file.exists():
        write_file(file, secrets.token_urlsafe(24), 0o600)
    return file.read_text(encoding="utf-8")


def choose_port(file: Path, wanted: int | None = None) -> int:
    """Return a free loopback port: the wanted one, else that of the last time, in `file`, else any. Raises NotStarted.

    Both are waited for a moment: the programs of a run that was killed take a second to notice.
    """
    if wanted is not None:
        if not wait_until(lambda: is_free(wanted), PORT_PATIENCE, 0.1):
            raise NotStarted(f"port {wanted} is taken; end what listens there, or choose another")
        return wanted
    last = int(file.read_text(encoding="ascii")) if file.exists() else 0
    if last and wait_until(lambda: is_free(last), PORT_PATIENCE, 0.1):
        return last
    port = any_free_port()
    write_file(file, str(port), 0o644)
    return port


def is_free(port: int) -> bool:
    """Tell whether nobody listens on the loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def any_free_port() -> int:
    """Return a free loopback port, below those that outgoing connections are given."""
    return next(port for port in iter(lambda: secrets.choice(PORTS), None) if is_free(port))
