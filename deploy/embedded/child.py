"""Become a command that ends with its parent. Run as a script, by path, with nothing but the standard library.

``child.py PARENT SIGNAL ACCOUNT NICE COMMAND...``: PARENT is the pid of the starter, SIGNAL the number to be sent when
it dies, ACCOUNT ``uid:gid`` to drop to, or ``-``, NICE how far it stands back where processors are short. A script of
its own rather than a `preexec_fn`, which is not safe once the starter has threads. The signal of a dying parent is
Linux's; elsewhere a killed starter leaves its children.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)


def become(parent: int, death_signal: int, account: str, nice: int, command: list[str]) -> None:
    """Drop to the account, stand back, ask for the signal, replace this program by the command."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if account != "-":
        uid, gid = (int(part) for part in account.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if nice:
        os.nice(nice)
    if libc is not None:
        libc.prctl(PR_SET_PDEATHSIG, death_signal)  # after dropping the ids, which clears it
        if os.getppid() != parent:
            sys.exit("the starter is gone")
    os.execv(command[0], command)  # noqa: S606 - replacing this program is what it is for


if __name__ == "__main__":
    become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5:])
