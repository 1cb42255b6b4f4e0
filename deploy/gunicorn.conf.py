# ruff: noqa: N999 - not a module: gunicorn reads it as a file
"""gunicorn for the door: `gunicorn -c deploy/gunicorn.conf.py 'ingress.app:create_app()'`.

INGRESS_BIND     127.0.0.1:8443, or unix:/path for a proxy in front (see deploy/nginx)
INGRESS_WORKERS  2
"""

import os
from typing import Any

from ingress.listener.serve import (
    WORKER_CONNECTIONS,
    allow_open_files,
    make_metrics_folder,
    open_listener,
    read_workers,
)
from schemas.telemetry.counting import show_process

allow_open_files()
make_metrics_folder(empty=False)
listener = open_listener()

bind = listener.bind
workers = read_workers()
certfile = listener.certificate
keyfile = listener.key
umask = 0o077  # a unix socket is for the proxy alone, which runs as the same user

worker_class = "ingress.listener.worker.DoorWorker"  # gevent's
worker_connections = WORKER_CONNECTIONS
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112 - the heartbeat, not on a disk
preload_app = False  # connections to the journal are opened after the fork; what is inherited: ingress/inheritance.py
backlog = 1024
timeout = 30
graceful_timeout = 10
keepalive = 30  # also the time a request's line and headers may take
http_parser = "python"  # never the C one by chance: see tests/bench/README.md
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 32 * 1024  # a chain by RFC 9440 is one; 64 kB for a whole head: schemas/listener/reading.py

# Whatever a request says of itself in X-Forwarded-* or SCRIPT_NAME is not believed.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}

accesslog = None  # the application writes one line per request
errorlog = "-"
loglevel = "info"
control_socket_disable = True
proc_name = "alert-intake-ingress"


def ssl_context(_config: Any, _default: Any) -> Any:  # noqa: ANN401 - gunicorn has no types
    """Give gunicorn the context that follows its files."""
    return listener.context


def on_starting(_server: Any) -> None:  # noqa: ANN401 - gunicorn has no types
    """Forget what an earlier run counted."""
    make_metrics_folder(empty=True)


def when_ready(_server: Any) -> None:  # noqa: ANN401 - as above
    """Follow the files in the master, too, for the workers that it will yet start."""
    listener.follow_in_master()


on_reload = when_ready


def post_worker_init(worker: Any) -> None:  # noqa: ANN401 - gunicorn has no types
    """Watch the certificate files in this worker, and let the platform's listener see that it runs."""
    show_process()
    listener.follow(worker)


def post_request(_worker: Any, _request: Any, _environment: Any, answer: Any) -> None:  # noqa: ANN401 - as above
    """Tell senders from strangers."""
    listener.note_answer(answer)
