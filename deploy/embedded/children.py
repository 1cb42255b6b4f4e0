"""Start programs that end with us, and end them with all that they started."""

import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LAUNCHER = Path(__file__).with_name("child.py")


class NotStarted(Exception):
    """A program of the embedded stack did not come up. The message is one line saying which, why and where to look."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the operating system to run a child as."""

    name: str
    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """Return the account that root drops to for programs that refuse root; None for everybody else."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise NotStarted(
        "PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody to run it as"
    )


def may_enter(path: Path, account: Account) -> bool:
    """Tell whether the account can walk through every folder down to `path`, by their modes."""
    for folder in (path, *path.parents):
        status = folder.stat()
        shift = 6 if status.st_uid == account.uid else 3 if status.st_gid == account.gid else 0
        if not status.st_mode >> shift & 0o1:
            return False
    return True


def start_child(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    folder: Path | str = "/",
    account: Account | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
    nice: int = 0,
    keep: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `command` in a process group of its own; `death_signal` reaches it however the calling thread ends.

    It stays in the caller's session: Linux may weigh sessions against each other, and then `nice` counts within one.
    Call it from a thread that lives as long as the child should, the main thread above all. Output is appended to
    `log`; `keep` are file descriptors the child inherits, such as a lock that is to be held for as long as it lives.
    """
    as_whom = f"{account.uid}:{account.gid}" if account else "-"
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(death_signal)), as_whom, str(nice)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            [*launcher, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=folder,
            process_group=0,
            pass_fds=keep,
        )


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether the child has ended, without taking its pid from it: its process group can still be ended safely."""
    if process.returncode is not None:
        return True
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def stop_children(children: Sequence[tuple[subprocess.Popen[bytes], signal.Signals]], patience: float) -> None:
    """Send each child its signal, give them `patience` seconds together, then kill what is left of their groups."""
    for process, first in children:
        if not has_ended(process):
            process.send_signal(first)
    wait_until(lambda: all(has_ended(process) for process, _ in children), patience)
    for process, _ in children:
        if process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):  # nobody left (macOS answers EPERM for zombies)
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until(condition: Callable[[], bool], seconds: float, pause: float = 0.02) -> bool:
    """Ask `condition` every `pause` seconds until it holds; return whether it did within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def last_line(log: Path) -> str:
    """Return the last line of a log that says something, for an error message."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
