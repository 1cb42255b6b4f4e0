"""Faults of our own programs: each is killed at its worst moment, or asked to end while it works."""

import signal

from tests.faults.hold import hold_batches, hold_marks
from tests.faults.site import BEAT, DOOR, DRAIN, FORWARD, GROUP, STREAM, WAIT_SECONDS, Site, send_signal
from tests.faults.trial import Fault

KILL, TERM = signal.SIGKILL, signal.SIGTERM


def kill_in_batch(site: Site) -> None:
    """Kill the drain processes while the statements of a batch run: PostgreSQL rolls it back."""
    with hold_batches(site, at_commit=False) as hold:
        hold.wait_for_victims()
        send_signal(site.pids(DRAIN, leaves=True), KILL)


def kill_in_commit(site: Site) -> None:
    """Kill them while they wait for the answer to COMMIT: the batch is committed, and they never learn it."""
    with hold_batches(site, at_commit=True) as hold:
        hold.wait_for_victims()
        send_signal(site.pids(DRAIN, leaves=True), KILL)


def kill_before_settling(site: Site) -> None:
    """Kill them when a batch is committed and its entries are not settled: the journal answers no write meanwhile."""
    with site.journal() as journal:
        with hold_batches(site, at_commit=True) as hold:
            victims = hold.wait_for_victims()
            journal.client_pause(20_000, all=False)
            hold.release()
            committed = "SELECT FROM pg_stat_activity WHERE pid = ANY(%s) AND state = 'active'"
            site.seconds_until(lambda: not site.query(committed, victims), 10, "the batch is committed")
            pending = journal.xpending(STREAM, GROUP)
            send_signal(site.pids(DRAIN, leaves=True), KILL)
        assert pending["pending"], "the drain had settled already"
        journal.client_unpause()


def kill_before_mark(site: Site) -> None:
    """Kill the forward worker when a receiver has answered and the delivery is not marked."""
    with hold_marks(site) as hold:
        hold.wait_for_victims()
        send_signal(site.pids(FORWARD), KILL)


def kill_workers(site: Site) -> None:
    """Kill both workers with all their processes."""
    send_signal([*site.pids(DRAIN), *site.pids(FORWARD)], KILL)


def kill_door(site: Site) -> None:
    """Kill one of the door's two processes."""
    send_signal(site.pids(DOOR, leaves=True)[:1], KILL)


def kill_beat(site: Site) -> None:
    """Kill beat."""
    send_signal(site.masters(BEAT), KILL)


def replace_door(site: Site) -> None:
    """Ask the door's processes to end, one after the other, each when the last one's successor is there."""
    for pid in site.pids(DOOR, leaves=True):
        send_signal([pid], TERM)
        site.seconds_until(
            lambda pid=pid: pid not in site.pids(DOOR, leaves=True), WAIT_SECONDS, "a process of the door ended"
        )
        site.seconds_until(lambda: len(site.pids(DOOR, leaves=True)) == 2, WAIT_SECONDS, "its successor started")


def restart_part(site: Site, command: str) -> None:
    """Ask a program to end, and wait until the supervisor has started it again."""
    before = site.masters(command)
    send_signal(before, TERM)
    site.seconds_until(lambda: set(site.masters(command)) - set(before), WAIT_SECONDS, f"{command!r} is started again")


PARTS = [
    Fault("kill -9 forward between send and mark", kill_before_mark, steady=True),
    Fault("kill -9 drain in the batch", kill_in_batch, steady=True),
    Fault("kill -9 drain in its commit", kill_in_commit, steady=True),
    Fault("kill -9 drain between commit and settle", kill_before_settling),
    Fault("kill -9 both workers", kill_workers, steady=True),
    Fault("kill -9 one process of the door", kill_door, steady=True),
    Fault("kill -9 beat", kill_beat, steady=True),
    Fault("SIGTERM drain", lambda site: restart_part(site, DRAIN), steady=True),
    Fault("SIGTERM forward", lambda site: restart_part(site, FORWARD), steady=True),
    Fault("SIGTERM beat", lambda site: restart_part(site, BEAT), steady=True),
    Fault("SIGTERM the door's processes in turn", replace_door, steady=True),
]
