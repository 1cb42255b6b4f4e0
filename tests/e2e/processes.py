"""The processes of the stack, as the operating system shows them."""

import os
import signal
from pathlib import Path


def children_of() -> dict[int, list[int]]:
    """Return the children of every process."""
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            found.setdefault(parent, []).append(int(entry.name))
    return found


def command_line(process: int) -> str:
    """Return the command of a process, "" when it is gone."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def descendants(ancestor: int, command: str = "", *, leaves: bool = False) -> list[int]:
    """Return all processes below one, those whose command holds `command`, or only those without children."""
    children = children_of()
    found: list[int] = []
    waiting = list(children.get(ancestor, []))
    while waiting:
        process = waiting.pop()
        waiting.extend(children.get(process, []))
        if command in command_line(process) and not (leaves and children.get(process)):
            found.append(process)
    return sorted(found)


def kill_process(process: int) -> None:
    """Kill a process of the stack, as a power cut would."""
    os.kill(process, signal.SIGKILL)
