"""Faults of the journal: while it cannot keep an alert, none is acknowledged; what it holds is drained afterwards."""

import contextlib
import signal
import time
from collections.abc import Iterator

from tests.faults.site import DRAIN, GROUP, STREAM, TASK_SECONDS, WAIT_SECONDS, Site, send_signal
from tests.faults.trial import Fault

FROZEN_SECONDS = 10.0
REFUSING_SECONDS = 3.0


def kill_journal(site: Site) -> None:
    """Kill it; the supervisor starts it again on its append-only file."""
    before = site.engine("JOURNAL_URL")
    send_signal([before], signal.SIGKILL)
    site.wait_for_successor("JOURNAL_URL", before)


def freeze_journal(site: Site) -> None:
    """Stop its process for a while: connections stay open, and nothing answers."""
    with stopped([site.engine("JOURNAL_URL")]):
        time.sleep(FROZEN_SECONDS)


@contextlib.contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    """Stop processes for the time of the block."""
    send_signal(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        send_signal(pids, signal.SIGCONT)


def fill_journal(site: Site) -> None:
    """Take its memory away while entries wait: what is in it must be drained all the same, else it stays full.

    The drains are stopped until their tasks are over, so that it is new ones that find a full journal.
    """
    with site.journal() as journal:
        with stopped(site.pids(DRAIN)):
            time.sleep(TASK_SECONDS)
            site.seconds_until(lambda: journal.xlen(STREAM) > 10, WAIT_SECONDS, "entries wait")
            enough = journal.config_get("maxmemory")["maxmemory"]
            journal.config_set("maxmemory", "1mb")
        try:
            site.seconds_until(lambda: journal.xlen(STREAM) == 0, WAIT_SECONDS, "a full journal is drained")
        finally:
            journal.config_set("maxmemory", enough)


def make_replica(site: Site) -> None:
    """Make it a read-only replica of nobody, as a failover in between would."""
    with site.journal() as journal:
        journal.replicaof("127.0.0.1", 1)
        time.sleep(REFUSING_SECONDS)
        journal.replicaof("NO", "ONE")


def demand_replicas(site: Site) -> None:
    """Have it refuse writes for want of replicas."""
    with site.journal() as journal:
        journal.config_set("min-replicas-to-write", 1)
        time.sleep(REFUSING_SECONDS)
        journal.config_set("min-replicas-to-write", 0)


def destroy_group(site: Site) -> None:
    """Destroy the consumer group, and with it the note of what was handed out."""
    with site.journal() as journal:
        journal.xgroup_destroy(STREAM, GROUP)


KILLED = Fault("journal kill -9", kill_journal)
JOURNAL = [
    KILLED,
    Fault("journal frozen 10 s", freeze_journal),
    Fault("journal out of memory", fill_journal),
    Fault("journal read-only (made a replica)", make_replica),
    Fault("journal refusing writes (no replicas)", demand_replicas),
    Fault("journal's group destroyed", destroy_group, steady=True),
]
