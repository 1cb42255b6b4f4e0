"""The worker's own listener, plain HTTP for the platform alone: `/metrics` of all its processes, and `/livez`.

WORKER_METRICS_BIND        host:port, or :port for every address; unset: no listener
PROMETHEUS_MULTIPROC_DIR   the folder in which its processes count, of no other worker; by default one under /tmp
"""

import os
from collections.abc import Iterable
from socketserver import ThreadingMixIn
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from celery import bootsteps
from prometheus_client import CONTENT_TYPE_LATEST

from schemas.settings.secret import ConfigurationError
from schemas.telemetry.counting import BuildInfo, show_counts
from workers.pool.liveness import PULSE
from workers.telemetry import metrics
from workers.telemetry.metrics_folder import read_bind

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

AGAIN_SECONDS = 1.0

log = structlog.get_logger()


class Exposition(bootsteps.StartStopStep):
    """Listens while the worker runs. Begun after the pool, so that its processes are forked without its thread.

    No alert waits for it: a port that is taken is tried again, and the worker works meanwhile.
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **options: Any) -> None:  # noqa: ANN401 - celery's own signature
        super().__init__(parent, **options)
        self.stopped = Event()
        self.server: WSGIServer | None = None

    def start(self, parent: Any) -> None:  # noqa: ANN401, ARG002 - celery's worker controller
        """Begin to listen. A setting that cannot be used ends the worker with one line."""
        try:
            bind = read_bind()
        except ConfigurationError as error:
            os.write(2, f"alert-intake worker: {error}\n".encode())
            raise SystemExit(1) from error
        if bind is not None:
            Thread(target=self.listen, args=bind, name="exposition", daemon=True).start()

    def listen(self, host: str, port: int) -> None:
        """Serve until the worker stops, and try again every second while the port is taken."""
        told = False
        while not self.stopped.is_set():
            try:
                self.server = make_server(host, port, self.answer, Server, Quiet)
            except OSError as error:
                if not told:
                    log.warning("metrics_not_served", bind=f"{host}:{port}", why=error.strerror)
                told = True
                self.stopped.wait(AGAIN_SECONDS)
            else:
                # A process of the pool that is forked later must not hold the port when the worker is gone.
                os.register_at_fork(after_in_child=self.server.socket.close)
                log.info("metrics_served", bind=f"{host}:{port}")
                self.server.serve_forever()

    def answer(self, environment: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        match environment["PATH_INFO"]:
            case "/metrics":
                start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
                return (show_counts(metrics.FOLDER, BuildInfo("worker")),)
            case "/livez":
                alive = PULSE.is_alive()
                start_response("200 OK" if alive else "503 Service Unavailable", [("Content-Type", "application/json")])
                return (b'{"alive": true}' if alive else b'{"alive": false}',)
            case _:
                start_response("404 Not Found", [("Content-Type", "text/plain")])
                return (b"/metrics, /livez\n",)

    def stop(self, parent: Any) -> None:  # noqa: ANN401, ARG002 - celery's own signature
        """Listen no more."""
        self.stopped.set()
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()


class Server(ThreadingMixIn, WSGIServer):
    """Answers each request in a thread of its own, so that one who asks slowly keeps nobody waiting."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Writes no line for a request."""

    timeout = 10

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the signature of the library
        """Say nothing."""


def count_tick(task: Any, state: str, **_signal: object) -> None:  # noqa: ANN401 - celery's own signature
    """Count a tick that was worked on. Connected to Celery's `task_postrun`, so in the process that did the work."""
    name = str(task.name).removeprefix("workers.")
    if name in metrics.TASKS:
        metrics.TICKS.labels(name, "done" if state == "SUCCESS" else "failed").inc()
