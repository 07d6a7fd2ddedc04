"""Gunicorn settings of every component: `gunicorn -c python:<this module> <package>.wsgi:app`.

Without an application on the command line, WSGI_APP names it.
"""

import gc
import os
from typing import Any

from chassis.http import graceful_shutdown

wsgi_app = os.environ.get("WSGI_APP")
bind = f"0.0.0.0:{os.environ.get('PORT', '8080')}"
worker_class = "chassis.http.gunicorn_worker.LazyThreadWorker"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = int(os.environ.get("WORKER_THREADS", "8"))
# One import for all workers: a faster start, and memory that they share.
preload_app = True
timeout = 30
# After SIGTERM: first served on, so that load balancers see it, then up to this for what is left.
# Together well below the 30 s after which ECS kills a task.
drain_seconds = float(os.environ.get("DRAIN_SECONDS", "10"))
graceful_timeout = 8
# Longer than any load balancer in front keeps an idle connection (60 s), so that it is never
# this side that closes one while a request is on its way.
keepalive = 75
# The load balancer in front bounds lines and headers; a second, smaller bound here would only
# make the two disagree.
limit_request_line = 0
limit_request_field_size = 64 * 1024
limit_request_fields = 200
# The components log their own requests (chassis.logs).
accesslog = None
errorlog = "-"
loglevel = "warning"
# No file on a read-only root, and heartbeats that no slow disk can delay.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112, S108
control_socket_disable = True


def when_ready(server: Any) -> None:
    """Take over SIGTERM in the master, and share its memory with the workers to be."""
    # Collecting would write to every object, and with that copy its page.
    gc.collect()
    gc.freeze()
    graceful_shutdown.install(server, drain_seconds)


def on_exit(server: Any) -> None:  # noqa: ARG001
    """Leave nothing behind in the master."""
    graceful_shutdown.cancel_timer()


def pre_request(worker: Any, req: Any) -> None:  # noqa: ARG001
    """Let go of kept connections while leaving."""
    graceful_shutdown.close_idle_connections(worker)
