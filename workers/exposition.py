"""The worker's own listener, plain HTTP for Prometheus alone: what all processes of this worker counted.

WORKER_METRICS_BIND   host:port, or :port; unset: no listener
PROMETHEUS_MULTIPROC_DIR   a folder for this worker alone, in which its processes count; needed with the above
"""

import os
from threading import Event, Thread
from typing import Any

import structlog
from celery import bootsteps
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

from schemas.counting import FOLDER_VARIABLE, BuildInfo
from schemas.secret import ConfigurationError
from schemas.tracing import is_wanted
from workers import metrics

BIND_VARIABLE = "WORKER_METRICS_BIND"
AGAIN_SECONDS = 1.0

log = structlog.get_logger()


def read_bind() -> tuple[str, int] | None:
    """Return host and port of the listener, None when there is to be none. Raises ConfigurationError."""
    text = os.environ.get(BIND_VARIABLE, "")
    if not text:
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigurationError(f"{BIND_VARIABLE} is {text!r}; it is host:port, or :port for every address")
    if metrics.FOLDER is None:
        raise ConfigurationError(
            f"{BIND_VARIABLE} is set and {FOLDER_VARIABLE} is not: it names the folder of the counts"
        )
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - ":port" says so


class Exposition(bootsteps.StartStopStep):
    """Listens while the worker runs. Begun after the pool, so that its processes are forked without its thread.

    No alert waits for it: a port that is taken is tried again, and the worker works meanwhile.
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **options: Any) -> None:  # noqa: ANN401 - celery's own signature
        super().__init__(parent, **options)
        self.stopped = Event()
        self.server: Any = None

    def start(self, parent: Any) -> None:  # noqa: ANN401, ARG002 - celery's worker controller
        """Begin to listen. A setting that cannot be used ends the worker with one line."""
        try:
            bind = read_bind()
            is_wanted()  # tracing: a fault is told of at the start, not by every tick
        except ConfigurationError as error:
            os.write(2, f"alert-intake worker: {error}\n".encode())
            raise SystemExit(1) from error
        if bind is not None:
            Thread(target=self.listen, args=bind, name="exposition", daemon=True).start()

    def listen(self, host: str, port: int) -> None:
        """Open the listener, and try again every second until that succeeds."""
        told = False
        while not self.stopped.is_set():
            try:
                self.server, _thread = start_http_server(port, host, make_registry())
            except OSError as error:
                if not told:
                    log.warning("metrics_not_served", bind=f"{host}:{port}", why=error.strerror)
                told = True
                self.stopped.wait(AGAIN_SECONDS)
            else:
                # A process of the pool that is forked later must not hold the port when the worker is gone.
                os.register_at_fork(after_in_child=self.server.socket.close)
                log.info("metrics_served", bind=f"{host}:{port}")
                return

    def stop(self, parent: Any) -> None:  # noqa: ANN401, ARG002 - celery's own signature
        """Listen no more."""
        self.stopped.set()
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()


def make_registry() -> CollectorRegistry:
    """Return what is shown: all that the processes of this worker counted, and what they are."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(metrics.FOLDER))  # type: ignore[no-untyped-call]  # has no types
    registry.register(BuildInfo("worker"))
    return registry


def count_tick(task: Any, state: str, **_signal: object) -> None:  # noqa: ANN401 - celery's own signature
    """Count a tick that was worked on. Connected to Celery's `task_postrun`, so in the process that did the work."""
    name = str(task.name).removeprefix("workers.")
    if name in metrics.TASKS:
        metrics.TICKS.labels(name, "done" if state == "SUCCESS" else "failed").inc()
