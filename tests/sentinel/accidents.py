"""What happens to a primary. Each accident ends when the Sentinels have made the replica the primary."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.sentinel.cluster import Cluster

INTERRUPTED_SECONDS = 0.4
FROZEN_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Accident:
    """One accident, to the journal unless said otherwise."""

    name: str
    happen: Callable[[Cluster], None]
    service: str = "journal"


def kill_primary(cluster: Cluster, service: str = "journal") -> None:
    """Kill it as a power cut would."""
    primary = cluster.primary(service)
    primary.send(signal.SIGKILL)
    cluster.wait_for_failover(service, primary)


def kill_broker(cluster: Cluster) -> None:
    """Kill the primary of the broker."""
    kill_primary(cluster, "broker")


def interrupt_and_kill(cluster: Cluster) -> None:
    """Cut it off from its replica first, as a failing host does: for a moment it is alone with what it is given."""
    primary, replica = cluster.primary("journal"), cluster.replica("journal")
    replica.send(signal.SIGSTOP)  # or it would be connected again at once
    try:
        with primary.client() as client:
            client.execute_command("CLIENT KILL TYPE replica")
        time.sleep(INTERRUPTED_SECONDS)
        primary.send(signal.SIGKILL)
    finally:
        replica.send(signal.SIGCONT)
    cluster.wait_for_failover("journal", primary)


def freeze_primary(cluster: Cluster) -> None:
    """Let it come back after the failover, when it takes itself for the primary still."""
    primary = cluster.primary("journal")
    began = time.monotonic()
    primary.send(signal.SIGSTOP)
    try:
        cluster.wait_for_failover("journal", primary)
        time.sleep(max(0.0, FROZEN_SECONDS - (time.monotonic() - began)))
    finally:
        primary.send(signal.SIGCONT)


def order_failover(cluster: Cluster) -> None:
    """Change over by hand, as for maintenance."""
    primary = cluster.primary("journal")
    with cluster.sentinels[0].client() as client:
        client.sentinel_failover("journal")
    cluster.wait_for_failover("journal", primary)


ACCIDENTS = [
    Accident("primary killed (kill -9)", kill_primary),
    Accident("cut off from its replica, 0.4 s later killed", interrupt_and_kill),
    Accident("primary frozen for 6 s", freeze_primary),
    Accident("failover ordered", order_failover),
    Accident("primary of the broker killed", kill_broker, "broker"),
]
