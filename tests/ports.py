"""Free ports for the servers of the tests. Runs of tests beside each other (xdist) get different ones."""

import os
import random
import socket

# Below those that outgoing connections are given, and beside those that the local stack chooses from.
PORTS = range(10000, 20000)
RUNS = 10


def free_port() -> int:
    """Return a loopback port that nobody listens on, from the share of this run."""
    run = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % RUNS
    return next(port for port in iter(lambda: random.choice(PORTS[run::RUNS]), None) if is_free(port))


def is_free(port: int) -> bool:
    """Tell whether nobody listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
