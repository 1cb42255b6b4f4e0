"""Faults of remote enrichment: its worker ends at its worst moments, the service that it asks is bad for a while."""

import contextlib
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.e2e.bodies import dispute, fresh_id
from tests.e2e.sender import Sender
from tests.faults.desk import Desk
from tests.faults.hold import hold_answers
from tests.faults.site import WAIT_SECONDS
from tests.faults.trial import Fault, is_delivered

BAD_SECONDS = 10.0


def kill_while_asking(desk: Desk) -> None:
    """Kill the worker while the service has its questions."""
    with desk.silence():
        asked = len(desk.orders.asked)
        desk.site.seconds_until(lambda: len(desk.orders.asked) > asked, WAIT_SECONDS, "the service is asked")
        desk.end(signal.SIGKILL)
    desk.start()


def kill_before_commit(desk: Desk) -> None:
    """Kill the worker when it has an answer and has not committed it."""
    with hold_answers(desk.site) as hold:
        hold.wait_for_victims()
        desk.end(signal.SIGKILL)
    desk.start()


def restart(desk: Desk) -> None:
    """Ask the worker to end, and start another one."""
    desk.end()
    desk.start()


def do_without(desk: Desk) -> None:
    """Kill the worker, and start none until an alert that was pushed meanwhile has been delivered without it."""
    desk.end(signal.SIGKILL)
    try:
        alert_id = push_alert(desk)
        desk.site.seconds_until(lambda: is_delivered(desk.site, alert_id), WAIT_SECONDS, "nobody is waited for")
    finally:
        desk.start()


def refuse(desk: Desk) -> None:
    """Let the service fail for a while."""
    desk.orders.statuses = [503]
    try:
        time.sleep(BAD_SECONDS)
    finally:
        desk.orders.statuses = [200]


def hang(desk: Desk) -> None:
    """Let it hang for a while."""
    with desk.silence():
        time.sleep(BAD_SECONDS)


def push_alert(desk: Desk) -> str:
    """Push a new alert until it is acknowledged, and return its id."""
    body = dispute(alert_id := fresh_id())
    with contextlib.closing(Sender(desk.site.run)) as sender:
        desk.site.seconds_until(lambda: sender.push(body).acknowledged, WAIT_SECONDS, "a push is acknowledged")
    return alert_id


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens to enrichment, by its name in the table."""

    name: str
    act: Callable[[Desk], None]

    def at(self, desk: Desk) -> Fault:
        """Return it as a fault of this desk."""
        return Fault(self.name, lambda _site: self.act(desk), steady=True)


TROUBLES = [
    Trouble("kill -9 enrich while it asks", kill_while_asking),
    Trouble("kill -9 enrich between answer and commit", kill_before_commit),
    Trouble("SIGTERM enrich", restart),
    Trouble("no enrich worker at all", do_without),
    Trouble("look-up refusing for 10 s", refuse),
    Trouble("look-up hanging for 10 s", hang),
]
