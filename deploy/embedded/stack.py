"""The programs of the local stack: one row each, with its command, what it is told, and how one sees that it works."""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import deploy
from deploy.embedded.answers import answers_http, answers_ping, mutual_tls
from deploy.embedded.certificate_files import DevelopmentCertificates
from deploy.embedded.children import start_child
from deploy.embedded.layout import Layout
from deploy.embedded.supervise import Part, explain_by

# The folder that holds our packages, and the configuration files of the servers beside them.
HOME = Path(deploy.__file__).resolve().parents[1]
GUNICORN = (sys.executable, "-m", "gunicorn")
CELERY = (sys.executable, "-m", "celery", "-A", "workers.app")
QUIETLY = ("--without-gossip", "--without-mingle")
# A sender waits for the door, a consumer for what is stored; a delivery is not late for a second. Each step is seven to
# nine times the weight: with less the door waits for whoever has a processor already.
BEHIND_DOOR = 10
BEHIND_ALL = 19


@dataclass(frozen=True, slots=True)
class Stack:
    """What the programs are built from. `addresses` are JOURNAL_URL, BROKER_URL and DATABASE_URL."""

    layout: Layout
    ports: dict[str, int]
    addresses: dict[str, str]
    certificates: DevelopmentCertificates
    ingress_workers: int = 2
    drain_processes: int = 2


@dataclass(frozen=True, slots=True)
class Program:
    """One row of the table. `nice`: how far it stands back behind the door where processors are short."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    answers: Callable[[], bool]
    nice: int = 0
    last: bool = False


def programs(stack: Stack) -> list[Program]:
    """Return the table. The order is that of starting; those marked `last` are stopped after the others."""
    layout, ports = stack.layout, stack.ports
    told = stack.addresses | {"ALERT_INTAKE_CONFIG": str(layout.configuration)}
    bind = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    broker = stack.addresses["BROKER_URL"]

    def counted(service: str) -> dict[str, str]:
        return {"PROMETHEUS_MULTIPROC_DIR": str(layout.metrics / service)}

    def shown(service: str) -> dict[str, str]:
        return counted(service) | {"WORKER_METRICS_BIND": bind[f"{service}_metrics"]}

    return [
        Program(
            "receiver",
            (
                *(sys.executable, "-m", "deploy.embedded.receiver", "--port", str(ports["receiver"])),
                *("--secret-file", str(layout.secrets / "receiver_secret")),
                *("--deliveries", str(layout.root / "received.jsonl")),
            ),
            {},
            lambda: answers_http(ports["receiver"], "/"),
            nice=BEHIND_ALL,
            last=True,
        ),
        Program(
            "ingress",
            (*GUNICORN, "-c", server_settings("gunicorn.conf.py"), "ingress.app:create_app()"),
            told | counted("ingress") | {"INGRESS_BIND": bind["push"], "INGRESS_WORKERS": str(stack.ingress_workers)},
            lambda: answers_http(ports["push"], "/", mutual_tls(stack.certificates)),
        ),
        Program(
            "platform",
            (*GUNICORN, "-c", server_settings("gunicorn.platform.conf.py"), "ingress.health:create_app()"),
            told | counted("ingress") | {"PLATFORM_BIND": bind["platform"]},
            lambda: answers_http(ports["platform"], "/readyz", wanted=200),
        ),
        Program(
            "drain",
            (
                *CELERY,
                "worker",
                "-Q",
                "drain",
                "-P",
                "prefork",
                "-c",
                str(stack.drain_processes),
                "-n",
                "drain@local",
                *QUIETLY,
            ),
            told | shown("drain"),
            lambda: answers_ping(broker, "drain@local"),
            nice=BEHIND_DOOR,
        ),
        Program(
            "forward",
            (*CELERY, "worker", "-Q", "forward", "-P", "threads", "-c", "2", "-n", "forward@local", *QUIETLY),
            told | shown("forward"),
            lambda: answers_ping(broker, "forward@local"),
            nice=BEHIND_ALL,
        ),
        Program("beat", (*CELERY, "beat"), told, lambda: True),
        Program(
            "console",
            (*GUNICORN, "-c", server_settings("gunicorn.console.conf.py"), "console.app:create_app()"),
            told | {"CONSOLE_BIND": bind["console"], "PLATFORM_URL": f"http://{bind['platform']}"},
            lambda: answers_http(ports["console"], "/openapi.json", wanted=200),
            nice=BEHIND_DOOR,
        ),
    ]


def part_of(program: Program, layout: Layout) -> Part:
    """Turn a row of the table into a part that can be supervised."""
    log = layout.log(program.name)
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    return Part(
        name=program.name,
        begin=lambda: start_child(
            program.command,
            log=log,
            environment=inherited | {"PYTHONUNBUFFERED": "1"} | program.environment,
            folder=HOME,
            death_signal=signal.SIGKILL,
            nice=program.nice,
        ),
        answers=program.answers,
        explain=explain_by(log),
        last=program.last,
    )


def server_settings(file: str) -> str:
    """Return the path of a gunicorn configuration file."""
    return str(HOME / "deploy" / file)
