"""Which engines a local run starts: those whose address is not set in the environment."""

import os
import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

from deploy.embedded.engine import Server
from deploy.embedded.layout import Layout
from deploy.embedded.postgres import start_postgres
from deploy.embedded.supervise import Part, Supervisor, explain_by
from deploy.embedded.valkey import BROKER, JOURNAL, start_valkey

# Engine -> the variable that replaces it.
VARIABLES = {"journal": "JOURNAL_URL", "broker": "BROKER_URL", "postgres": "DATABASE_URL"}
STOP_SIGNALS = {"postgres": signal.SIGINT}  # a fast shutdown, which does not wait for its clients


def start_engines(layout: Layout, ports: dict[str, int | None], supervisor: Supervisor) -> dict[str, str]:
    """Start those that the environment does not replace; return the three addresses. Raises NotStarted."""
    addresses = {}
    for name, start in starters(layout).items():
        variable = VARIABLES[name]
        given = os.environ.get(variable, "")
        if given and not names_our_own(given, layout.engine(name)):
            addresses[variable] = given
            supervisor.say(f"{name}: the one that {variable} names")
            continue
        server = start_engine(name, start, layout, ports.get(name), supervisor)
        addresses[variable] = server.url
        supervisor.say(f"{name}: {server.name} {server.version} on port {server.port}")
    return addresses


def names_our_own(address: str, folder: Path) -> bool:
    """Tell whether an address is that of the folder's own engine: so it is in a shell that has read run.env."""
    password = folder / "password"
    return password.exists() and password.read_text(encoding="utf-8") in address


def starters(layout: Layout) -> dict[str, Callable[..., Server]]:
    """Return what starts each engine; the keyword `port` says where."""
    return {
        "journal": partial(start_valkey, layout.engine("journal"), layout.log("journal"), JOURNAL),
        "broker": partial(start_valkey, layout.engine("broker"), layout.log("broker"), BROKER),
        "postgres": partial(start_postgres, layout.engine("postgres"), layout.log("postgres")),
    }


def start_engine(
    name: str, start: Callable[..., Server], layout: Layout, port: int | None, supervisor: Supervisor
) -> Server:
    """Start one engine and have it supervised: started again, it takes the port that everybody knows by now."""
    servers: list[Server] = []

    def begin() -> subprocess.Popen[bytes]:
        servers.append(start(port=servers[0].port if servers else port))
        return servers[-1].process

    supervisor.start(
        Part(
            name,
            begin,
            explain=explain_by(layout.log(name)),
            stop_signal=STOP_SIGNALS.get(name, signal.SIGTERM),
            last=True,
        )
    )
    return servers[0]
