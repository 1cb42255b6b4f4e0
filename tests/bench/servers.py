"""The servers that are compared: each a gunicorn with the door's own settings, before one journal that fsyncs."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from deploy.embedded.certificate_files import CLIENT_SUBJECT, DevelopmentCertificates, ensure_certificates
from deploy.embedded.engine import Server
from deploy.embedded.settings import Secrets, ensure_secrets, write_configuration
from deploy.embedded.valkey import JOURNAL, start_valkey
from tests.bench.load import Plan
from tests.e2e.processes import descendants
from tests.gunicorn import Process, run_gunicorn, wait_for
from tests.integration.door import basic
from tests.ports import free_port

WORKERS = 2
PLAIN_WORKER = {"GUNICORN_CMD_ARGS": "--worker-class gevent"}  # instead of the door's own


@dataclass(frozen=True, slots=True)
class Bench:
    """A folder with certificates, secrets and a configuration, and a journal."""

    folder: Path
    journal: Server
    certificates: DevelopmentCertificates
    secrets: Secrets

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every server."""
        return {
            "PATH": os.environ["PATH"],
            "ALERT_INTAKE_CONFIG": str(self.folder / "alert-intake.toml"),
            "JOURNAL_URL": self.journal.url,
            "INGRESS_WORKERS": str(WORKERS),
        }

    @contextmanager
    def serve(self, name: str, app: str, **more: str) -> Iterator[Process]:
        """Run an application under the door's gunicorn settings."""
        bind = f"127.0.0.1:{free_port()}"
        folder = self.folder / name
        environment = self.environment | {"INGRESS_BIND": bind, "PROMETHEUS_MULTIPROC_DIR": str(folder / "counts")}
        with run_gunicorn("deploy/gunicorn.conf.py", app, environment | more, bind, folder) as process:
            wait_for(lambda: process.ready() >= WORKERS)
            yield process

    def plan(
        self,
        server: Process,
        connections: int,
        seconds: float,
        *,
        keep_alive: bool = True,
        varied: bool = False,
        pushes: int = 0,
    ) -> Plan:
        """Return how to push to a server as Ethoca would."""
        return Plan(
            server.port,
            str(self.certificates.authority.certificate),
            str(self.certificates.client.certificate),
            str(self.certificates.client.key),
            basic("ethoca", self.secrets.ethoca_password),
            connections,
            seconds,
            keep_alive,
            varied,
            pushes,
        )

    def empty_journal(self) -> None:
        """Delete all entries, and let the append-only file begin anew."""
        with redis.Redis.from_url(self.journal.url, protocol=2) as client:
            client.flushall()


@contextmanager
def open_bench() -> Iterator[Bench]:
    """Make the folder and start the journal."""
    with tempfile.TemporaryDirectory(prefix="alert-intake-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        certificates, secrets = ensure_certificates(folder / "certificates"), ensure_secrets(folder / "secrets")
        write_configuration(folder / "alert-intake.toml", certificates, folder / "secrets", CLIENT_SUBJECT)
        with start_valkey(folder / "journal", folder / "journal.log", JOURNAL) as journal:
            yield Bench(folder, journal, certificates, secrets)


def cpu_seconds(process: int) -> float:
    """Return the processor time, user and system, that a process and its children have used so far."""
    nanoseconds = 0
    for one in [process, *descendants(process)]:
        for thread in Path(f"/proc/{one}/task").iterdir():
            nanoseconds += int((thread / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9
