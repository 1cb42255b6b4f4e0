# ruff: noqa: N999 - not a module: gunicorn reads it as a file
"""gunicorn for the console: `gunicorn -c deploy/gunicorn.console.conf.py 'console.app:create_app()'`.

CONSOLE_BIND     127.0.0.1:8082; plain HTTP, so loopback or behind a proxy that ends TLS
CONSOLE_WORKERS  1
"""

import os
from typing import Any

from console.feed.feed import STREAMS

bind = os.environ.get("CONSOLE_BIND") or "127.0.0.1:8082"
workers = int(os.environ.get("CONSOLE_WORKERS") or 1)
worker_class = "console.web.worker.ConsoleWorker"  # gthread's
# As many as the pool of a worker has connections (console.app.CONNECTIONS), and one for each stream of events that it
# admits: however many stay open, the API keeps its own. A thread that waits costs next to nothing.
threads = 8 + STREAMS
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112 - the heartbeat, not on a disk
preload_app = True  # so that settings that cannot be used stop the start; nothing is connected before the fork
timeout = 60
graceful_timeout = 5
keepalive = 5
limit_request_fields = 64
forwarded_allow_ips = ""
forwarder_headers = ""

accesslog = None  # the application writes one line per request
errorlog = "-"
loglevel = "warning"
control_socket_disable = True
proc_name = "alert-intake-console"


def post_worker_init(worker: Any) -> None:  # noqa: ANN401 - gunicorn's worker
    """Let streams end when the worker is asked to stop: it waits for them, and they would go on for ever.

    And begin to look out, so that the pages have an hour to show before anybody opens one.
    """
    worker.wsgi.extensions["feed"].lives_while(lambda: worker.alive)
    worker.wsgi.extensions["lookout"].lives_while(lambda: worker.alive)
    worker.wsgi.extensions["lookout"].start()
