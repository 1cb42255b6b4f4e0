"""nginx in front of a door, with the two shipped files; their paths are replaced."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.gunicorn import ROOT, answers, wait_for
from tests.ports import free_port
from tests.programs import require_program
from tests.tether import tether


@dataclass(frozen=True, slots=True)
class Files:
    """What nginx reads: the server's certificate and key, and the authorities of its clients."""

    certificate: Path
    key: Path
    client_ca: Path


@dataclass(frozen=True, slots=True)
class Nginx:
    """A running nginx. Its logs and settings lie in `folder`."""

    port: int
    folder: Path
    process: "subprocess.Popen[bytes]"

    def reload(self) -> None:
        """Tell it to read its files anew, as `nginx -s reload` does, and wait until new worker processes serve."""
        old = set(self.workers())
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: set(self.workers()) - old)

    def workers(self) -> list[int]:
        """Return the pids of its worker processes."""
        return [
            int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]

    def logs(self) -> bytes:
        """Return all that it has written, wherever it writes."""
        return b"".join((self.folder / name).read_bytes() for name in ("access.log", "stderr"))


@contextmanager
def run_nginx(
    files: Files, unix_socket: Path, folder: Path, changes: Mapping[str, str] | None = None
) -> Iterator[Nginx]:
    """Run nginx before the door on that socket until the block ends; `changes` replace text of the shipped settings."""
    program = require_program("nginx", "nginx-light")
    port = free_port()
    folder.mkdir()
    replaced = {
        "nginx.conf": {
            "worker_processes auto;": "worker_processes 1;" + (" user root;" if os.getuid() == 0 else ""),
            " /tmp/": f" {folder}/",
            "/dev/stdout": f"{folder}/access.log",
            "/etc/nginx/": f"{folder}/",
        },
        "alert-intake.conf": {
            "listen 8443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "/run/ingress/ingress.sock": str(unix_socket),
            "/etc/alert-intake/tls/server.pem": str(files.certificate),
            "/etc/alert-intake/tls/server.key": str(files.key),
            "/etc/alert-intake/tls/client-ca.pem": str(files.client_ca),
        },
    }
    left = dict(changes or {})
    for name, texts in replaced.items():
        content = (ROOT / "deploy" / "nginx" / name).read_text()
        for old, new in texts.items():
            assert old in content, old
            content = content.replace(old, new)
        for old in [old for old in left if old in content]:
            content = content.replace(old, left.pop(old))
        (folder / name).write_text(content)
    assert not left
    with (folder / "stderr").open("wb") as errors:
        arguments: list[str | Path] = [
            program,
            "-e",
            "stderr",
            "-g",
            "daemon off;",
            "-p",
            folder,
            "-c",
            folder / "nginx.conf",
        ]
        process = subprocess.Popen(tether(arguments, signal.SIGTERM), stderr=errors)
    try:
        wait_for(lambda: answers(f"127.0.0.1:{port}") or process.poll() is not None)
        assert process.poll() is None, (folder / "stderr").read_text()
        yield Nginx(port, folder, process)
    finally:
        process.terminate()
        process.wait(10)
