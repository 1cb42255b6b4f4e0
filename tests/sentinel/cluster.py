"""A journal and a broker, each a primary and a replica, and three Sentinels that watch both. On loopback.

Every server has a password, and the Sentinels one of their own.
"""

import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from tests.e2e.running import wait_until
from tests.faults.broker import find_valkey
from tests.ports import free_port
from tests.tether import tether

PASSWORD = "password-of-the-servers"
SENTINEL_PASSWORD = "password-of-the-sentinels"
DOWN_AFTER = 1.0  # seconds without an answer until a Sentinel takes a server for dead
FAILOVER_SECONDS = 60.0
SETTINGS = {
    "journal": ("appendonly yes", "appendfsync always", "maxmemory 256mb"),
    "broker": ("appendonly no", "maxmemory 64mb"),
}


@dataclass(slots=True)
class Server:
    """One process, on one port and folder through all its lives."""

    folder: Path
    lines: tuple[str, ...]
    password: str
    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers. Servers and Sentinels rewrite their file: it is written only once."""
        self.folder.mkdir(exist_ok=True)
        file = self.folder / "valkey.conf"
        if not file.exists():
            lines = ("bind 127.0.0.1", f"port {self.port}", f"dir {self.folder}", f"requirepass {self.password}")
            file.write_text("\n".join([*lines, *self.lines]) + "\n")
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                tether([find_valkey(), file, *self.options]), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        assert wait_until(self.answers, 20), (self.folder / "log").read_text()[-2000:]

    def answers(self) -> bool:
        """Tell whether it answers."""
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def client(self) -> redis.Redis:
        """Return a client of it."""
        return redis.Redis(port=self.port, password=self.password, socket_timeout=2, protocol=2)

    def send(self, how: signal.Signals) -> None:
        """Send it a signal; return when it has ended, if that is what the signal does."""
        assert self.process is not None
        self.process.send_signal(how)
        if how in {signal.SIGKILL, signal.SIGTERM}:
            self.process.wait(20)
            self.process = None


class Cluster:
    """The servers by service, the first of each its first primary, and the Sentinels."""

    def __init__(self, folder: Path) -> None:
        self.servers: dict[str, list[Server]] = {}
        for service, settings in SETTINGS.items():
            lines = (*settings, f"masterauth {PASSWORD}", "maxmemory-policy noeviction", 'save ""')
            lines += ("repl-diskless-sync-delay 0",)
            primary = Server(folder / f"{service}-1", lines, PASSWORD)
            replica = Server(folder / f"{service}-2", (*lines, f"replicaof 127.0.0.1 {primary.port}"), PASSWORD)
            self.servers[service] = [primary, replica]
        watched = [
            line
            for service, (primary, _) in self.servers.items()
            for line in (
                f"sentinel monitor {service} 127.0.0.1 {primary.port} 2",
                f"sentinel auth-pass {service} {PASSWORD}",
                f"sentinel down-after-milliseconds {service} {DOWN_AFTER * 1000:.0f}",
                f"sentinel failover-timeout {service} 3000",
            )
        ]
        watched.append(f"sentinel sentinel-pass {SENTINEL_PASSWORD}")
        self.sentinels = [
            Server(folder / f"sentinel-{number}", tuple(watched), SENTINEL_PASSWORD, ("--sentinel",))
            for number in range(1, 4)
        ]

    def start(self) -> None:
        """Start everything and wait until everybody knows everybody."""
        for server in (*(server for servers in self.servers.values() for server in servers), *self.sentinels):
            server.start()
        for service in self.servers:
            self.wait_until_whole(service)

    def close(self) -> None:
        """End everything."""
        for server in (*self.sentinels, *(server for servers in self.servers.values() for server in servers)):
            if server.process is not None:
                server.send(signal.SIGKILL)

    def url(self, service: str) -> str:
        """Return the address as JOURNAL_URL and BROKER_URL take it."""
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://:{PASSWORD}@{hosts}/{service}/0?sentinel_password={SENTINEL_PASSWORD}"

    def watched(self, sentinel: Server, service: str) -> dict[str, Any]:
        """Return what a Sentinel says of the primary of a service."""
        with sentinel.client() as client:
            return dict(client.sentinel_masters()[service])

    def primary(self, service: str) -> Server:
        """Return the server that all Sentinels call the primary."""
        ports = {int(self.watched(sentinel, service)["port"]) for sentinel in self.sentinels}
        (found,) = [server for server in self.servers[service] if server.port in ports]
        return found

    def replica(self, service: str) -> Server:
        """Return the other one."""
        primary = self.primary(service)
        (found,) = [server for server in self.servers[service] if server is not primary]
        return found

    def wait_for_failover(self, service: str, before: Server) -> None:
        """Wait until all Sentinels agree on another primary, and that one takes it on."""

        def taken_over() -> bool:
            try:
                primary = self.primary(service)
                with primary.client() as client:
                    return primary is not before and client.role()[0] == b"master"
            except (redis.RedisError, ValueError):
                return False

        assert wait_until(taken_over, FAILOVER_SECONDS), f"no failover of {service}"

    def wait_until_whole(self, service: str) -> None:
        """Start again what was killed, and wait until there is a primary with a replica, known to three Sentinels."""
        for server in self.servers[service]:
            if server.process is None:
                server.start()

        def whole() -> bool:
            try:
                facts = [self.watched(sentinel, service) for sentinel in self.sentinels]
                with self.primary(service).client() as client:
                    replicas = client.info("replication")
            except (redis.RedisError, ValueError):
                return False
            known = all(one["num-slaves"] == 1 and one["num-other-sentinels"] == 2 for one in facts)
            quiet = all(set(str(one["flags"]).split(",")) == {"master"} for one in facts)
            return known and quiet and replicas.get("slave0", {}).get("state") == "online"

        assert wait_until(whole, FAILOVER_SECONDS), f"{service} is not whole again"
        time.sleep(DOWN_AFTER)
