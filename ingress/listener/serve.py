"""What gunicorn has to know of the door: where to listen, with what TLS, and when to let connections go.

Imported by `deploy/gunicorn.conf.py` in gunicorn's master process, before it forks and before gevent patches the
worker: so nothing here imports the journal's client.
"""

import atexit
import os
import resource
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent

from ingress.inheritance import Inheritance, inherit
from ingress.limits.rates import share_tallies
from ingress.listener.rotation import RotatingContext
from ingress.settings import stop_on_fault
from ingress.telemetry.log import open_log
from schemas.settings.secret import ConfigurationError

LOOK_SECONDS = 0.5  # between two looks at the certificate files
WORKER_CONNECTIONS = 2000  # of one worker process; from then on it accepts none
CROWD = 1800  # from here on the connections of strangers make room


@dataclass(frozen=True, slots=True)
class Listener:
    """Where the public listener is bound. `context` is None on a unix socket, where the proxy ends TLS."""

    inherited: Inheritance
    bind: str
    context: RotatingContext | None
    certificate: str | None
    key: str | None

    def follow_in_master(self) -> None:
        """Let gunicorn's master look at the files while it waits, so that what it forks begins with what was good last.

        By an alarm: a thread might be in the midst of something when the master forks. And workers inherit no alarm.
        """
        signal.signal(signal.SIGALRM, lambda _signal, _frame: self.look())
        atexit.register(signal.signal, signal.SIGALRM, signal.SIG_IGN)  # while Python ends it would end the process
        signal.setitimer(signal.ITIMER_REAL, LOOK_SECONDS)

    def look(self) -> None:
        """Take over files that have changed, and set the alarm again."""
        with suppress(Exception):  # logged, unless it is the log: nothing of it may end the master
            self.inherited.follow_files()
            if self.context is not None:
                self.context.follow_files()
        signal.setitimer(signal.ITIMER_REAL, LOOK_SECONDS)

    def follow(self, worker: Any) -> None:  # noqa: ANN401 - gunicorn has no types
        """Make a worker ready before it serves, watch its certificate files, and let its connections go in the end."""
        if self.context is not None:
            self.context.begin_worker()
            gevent.spawn(watch_files, self.context, worker)
        open_log().info("worker ready", process=os.getpid(), bind=self.bind)

    def note_answer(self, answer: Any) -> None:  # noqa: ANN401 - as above
        """Note who has pushed: he need not make room for strangers."""
        if self.context is not None and answer is not None and answer.status_code == 200:
            self.context.prove()


@stop_on_fault
def open_listener() -> Listener:
    """Check the whole configuration before anything is bound, and return what to bind."""
    inherit.cache_clear()  # gunicorn reads its settings again at a SIGHUP
    inherited = inherit()
    configuration = inherited.settings.configuration
    share_tallies()  # before the fork
    bind = os.environ.get("INGRESS_BIND") or "127.0.0.1:8443"
    if bind.startswith("unix:"):
        if configuration.door.front is None:
            raise ConfigurationError("INGRESS_BIND is a unix socket: set proxy = true in [door], or bind to a port")
        return Listener(inherited, bind, None, None, None)
    if configuration.tls is None:
        raise ConfigurationError("[tls] is missing: the door listens with TLS unless INGRESS_BIND is a unix socket")
    tls = configuration.tls
    return Listener(inherited, bind, RotatingContext(configuration, tls, CROWD), tls.certificate, tls.key)


@stop_on_fault
def read_workers() -> int:
    """Return how many worker processes to run."""
    text = os.environ.get("INGRESS_WORKERS") or "2"
    if not text.isdecimal() or int(text) < 1:
        raise ConfigurationError(f"INGRESS_WORKERS is {text!r}; it is a number from 1 on")
    return int(text)


def watch_files(context: RotatingContext, worker: Any) -> None:  # noqa: ANN401 - gunicorn has no types
    """Follow the certificate files while the worker lives. When it stops, idle connections must not hold it."""
    while worker.alive:
        gevent.sleep(LOOK_SECONDS)
        with suppress(Exception):  # logged, unless it is the log: who does not look learns of no revocation
            context.follow_files()
    while True:
        gevent.sleep(LOOK_SECONDS)
        context.end_connections()


def allow_open_files() -> None:
    """Let this process and its workers open as many files as it may: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def make_metrics_folder(*, empty: bool) -> None:
    """Make the folder in which worker processes count (PROMETHEUS_MULTIPROC_DIR); without the old counts at a start."""
    name = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
    if not name:
        return
    folder = Path(name)
    folder.mkdir(parents=True, exist_ok=True)
    if empty:
        for file in folder.glob("*.db"):
            file.unlink(missing_ok=True)
