"""The signals that end a run: each asks for an orderly end, and none interrupts it."""

import contextlib
import signal
from collections.abc import Iterator

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """A signal asked for the end. Not an Exception: nothing on the way may take it for a failure and go on."""


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Turn the signals that end a program into Stopped."""

    def stop(*_: object) -> None:
        ignore_signals()
        raise Stopped

    # An ignored SIGHUP (nohup) stays ignored. Not so SIGINT, which shells ignore for what runs in the background.
    taken = [one for one in ENDING if one != signal.SIGHUP or signal.getsignal(one) != signal.SIG_IGN]
    kept = {one: signal.signal(one, stop) for one in taken}
    try:
        yield
    except Stopped:
        pass
    finally:
        for one, handler in kept.items():
            signal.signal(one, handler)


def ignore_signals() -> None:
    """Let nothing interrupt the stopping, which ends by itself within seconds."""
    for one in ENDING:
        # Not SIG_IGN: Python would complain of a signal that came just before.
        signal.signal(one, lambda *_: None)
