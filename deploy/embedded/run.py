"""A local run from beginning to end: claim the folder, start everything in its order, stay, stop everything."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from deploy.embedded.certificate_files import CLIENT_SUBJECT, ensure_certificates
from deploy.embedded.ending import Stopped, ignore_signals, stopped_by_signals
from deploy.embedded.engines import start_engines
from deploy.embedded.facts import describe_run, sender_of
from deploy.embedded.layout import Layout, choose_listeners, claim_layout, write_run_file
from deploy.embedded.samples import Journey, push_samples
from deploy.embedded.scrape import write_scrape_settings
from deploy.embedded.settings import ensure_secrets, write_configuration
from deploy.embedded.stack import Stack, part_of, programs
from deploy.embedded.subscribe import subscribe_receiver
from deploy.embedded.supervise import Supervisor
from deploy.migrations import apply_migrations
from schemas.keyring import load_keyring
from schemas.settings.configuration import load_configuration

CLAIM_SECONDS = 20.0
START_SECONDS = 90.0
STOP_WORK_SECONDS = 10.0
STOP_ENGINES_SECONDS = 3.0
LOOK_SECONDS = 0.25

# What the local stack has otherwise. Its disk may stand still for a while, for all of a workstation uses it: that is no
# reason to refuse a push.
FURTHER = """
[journal]
timeout = 5.0
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says. `ports` by name: push, platform, console, receiver, journal, broker, postgres."""

    folder: Path
    ports: dict[str, int | None] = field(default_factory=dict)
    samples: bool = True
    ingress_workers: int = 2
    drain_processes: int = 2
    tethered: bool = False


@dataclass(frozen=True, slots=True)
class Listener:
    """Whom a run tells what happens: lines of progress, the sample pushes, and the facts of run.env once all is up."""

    say: Callable[[str], None]
    show_samples: Callable[[Iterable[Journey]], None]
    ready: Callable[[dict[str, str]], None]


def run_stack(options: Options, listener: Listener) -> None:
    """Run the stack until a signal asks for the end, or, tethered, until the parent is gone. Raises NotStarted."""
    parent = os.getppid()
    listener = replace(listener, say=survive_closed_output(listener.say))
    supervisor = Supervisor(listener.say)
    with stopped_by_signals():
        layout, lock = claim_layout(options.folder, CLAIM_SECONDS)
        try:
            start_stack(layout, options, listener, supervisor)
            while not (options.tethered and os.getppid() != parent):
                supervisor.tend()
                time.sleep(LOOK_SECONDS)
        except Stopped:
            pass
        finally:
            ignore_signals()
            layout.run_file.unlink(missing_ok=True)
            listener.say("stopping")
            supervisor.stop(STOP_WORK_SECONDS, STOP_ENGINES_SECONDS)
            os.close(lock)


def start_stack(layout: Layout, options: Options, listener: Listener, supervisor: Supervisor) -> None:
    """Start everything in its order, and say so in run.env once everything answers."""
    addresses = start_engines(layout, options.ports, supervisor)
    ports = choose_listeners(layout, options.ports)
    secrets = ensure_secrets(layout.secrets)
    certificates = ensure_certificates(layout.certificates)
    write_configuration(layout.configuration, certificates, layout.secrets, CLIENT_SUBJECT, FURTHER)
    applied = apply_migrations(addresses["DATABASE_URL"])
    listener.say(f"database: applied {', '.join(applied)}" if applied else "database: up to date")
    keyring = load_keyring(load_configuration(str(layout.configuration)).sealing)
    facts = describe_run(layout, ports, addresses, secrets)
    subscribe_receiver(addresses["DATABASE_URL"], keyring, facts["RECEIVER_URL"], secrets.receiver_secret)
    shutil.rmtree(layout.metrics, ignore_errors=True)  # counts of processes that are no more
    layout.metrics.mkdir()
    stack = Stack(layout, ports, addresses, certificates, options.ingress_workers, options.drain_processes)
    table = programs(stack)
    for program in table:
        supervisor.start(part_of(program, layout))
    listener.say(f"started {', '.join(program.name for program in table)}; logs in {layout.log('x').parent}")
    supervisor.wait_until_all_answer(START_SECONDS)
    if options.samples:
        listener.show_samples(push_samples(sender_of(facts), addresses["DATABASE_URL"]))
    write_scrape_settings(layout, ports)
    write_run_file(layout, facts)
    listener.ready(facts)


def survive_closed_output(say: Callable[[str], None]) -> Callable[[str], None]:
    """Go on, and above all stop in order, when nobody reads the progress any more."""

    def said(text: str) -> None:
        with contextlib.suppress(OSError):
            say(text)

    return said
