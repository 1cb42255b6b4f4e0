# ruff: noqa: N999 - not a module: gunicorn reads it as a file
"""gunicorn for the platform's listener: `gunicorn -c deploy/gunicorn.platform.conf.py 'ingress.health:create_app()'`.

PLATFORM_BIND  127.0.0.1:8081; never a public address
"""

import os

bind = os.environ.get("PLATFORM_BIND") or "127.0.0.1:8081"
workers = 1
worker_class = "ingress.listener.platform_worker.PlatformWorker"  # gthread's
threads = 4
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112 - the heartbeat, not on a disk
preload_app = True  # a worker that is replaced needs no configuration; nothing is connected before the fork
timeout = 30
graceful_timeout = 5
keepalive = 5
limit_request_fields = 64

accesslog = None
errorlog = "-"
loglevel = "warning"
control_socket_disable = True
proc_name = "alert-intake-platform"
