"""Faults of the three gunicorns as a whole: the master and all its processes go, and come back."""

import signal
from collections.abc import Callable
from dataclasses import dataclass

import requests

from tests.e2e.window import get
from tests.faults.site import CONSOLE, DOOR, PLATFORM, WAIT_SECONDS, Site, send_signal
from tests.faults.trial import Fault


@dataclass(frozen=True, slots=True)
class Gunicorn:
    """A program: what its command holds, and how one sees that it answers. Of the door, that pushes are answered."""

    name: str
    command: str
    answers: Callable[[Site], bool] = lambda _site: True

    def end(self, site: Site, how: signal.Signals) -> None:
        """Send its master a signal, and wait until a new one answers."""
        before = site.masters(self.command)
        assert before
        send_signal(before, how)

        def answered() -> bool:
            there = site.masters(self.command)
            return bool(there) and not set(there) & set(before) and self.answers(site)

        site.seconds_until(answered, WAIT_SECONDS, f"{self.name} answers again")


def is_ready(site: Site) -> bool:
    """Ask the platform's listener whether the door is ready."""
    port = (site.stack.var / "ports" / "platform").read_text(encoding="ascii")
    return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200


def is_open(site: Site) -> bool:
    """Ask the console for something that it asks the database for."""
    return "data" in get(site.run, "/v1/alerts", limit=1)


GUNICORNS = [
    Gunicorn("the door", DOOR),
    Gunicorn("the platform's listener", PLATFORM, is_ready),
    Gunicorn("the console", CONSOLE, is_open),
]
MASTERS = [
    Fault(
        f"{name} gunicorn of {one.name}",
        lambda site, one=one, how=how: one.end(site, how),  # type: ignore[misc]  # a lambda with defaults
        steady=one.command != DOOR,  # nobody answers until it is back
    )
    for one in GUNICORNS
    for name, how in (("kill -9", signal.SIGKILL), ("SIGTERM", signal.SIGTERM))
]
