"""The door's worker processes, as their log and the kernel show them."""

import socket
from contextlib import suppress
from pathlib import Path

from tests.gunicorn import Process


def workers(door: Process) -> set[int]:
    """Return the worker processes that have ever been ready."""
    return {line["process"] for line in door.written() if line["event"] == "worker ready"}


def holds(door: Process, connection: socket.socket) -> int:
    """Return the worker process that has the other end of a connection open, 0 when none has yet."""
    other = f":{connection.getsockname()[1]:04X} 01"
    for pid in workers(door):
        with suppress(OSError):
            table = Path(f"/proc/{pid}/net/tcp").read_text()
            inodes = {line.split()[9] for line in table.splitlines() if other in line} - {"0"}
            for link in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    if link.readlink().name.removeprefix("socket:[").rstrip("]") in inodes:
                        return pid
    return 0
