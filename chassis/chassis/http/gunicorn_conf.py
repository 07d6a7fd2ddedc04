"""Gunicorn settings of every component: `gunicorn -c python:<this module> <package>.wsgi:app`.

Without an application on the command line, WSGI_APP names it.
"""

import gc
import os
from typing import Any

from chassis.http import graceful_shutdown

wsgi_app = os.environ.get("WSGI_APP")
bind = f"0.0.0.0:{os.environ.get('PORT', '8080')}"
worker_class = "chassis.http.gunicorn_worker.BufferingThreadWorker"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = int(os.environ.get("WORKER_THREADS", "8"))
# One import for all workers: a faster start, and memory that they share.
preload_app = True
timeout = 30
# After SIGTERM, the instance serves until load balancers notice, then has up to this long for the
# remaining requests. Together well below the 30 s after which ECS kills a task.
drain_seconds = float(os.environ.get("DRAIN_SECONDS", "10"))
graceful_timeout = 8
# Longer than a load balancer keeps an idle connection (60 s), so that this side never closes one
# while a request is on its way.
keepalive = 75
# Connections of a process; beyond them, the oldest idle ones are closed. With its files and the
# connections to others, a process stays below the usual limit of 1024 descriptors.
worker_connections = 512
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
    """Install the SIGTERM handler in the master, and keep its memory shared with future workers."""
    # Garbage collection writes to every object, which would copy its memory page.
    gc.collect()
    gc.freeze()
    graceful_shutdown.install(server, drain_seconds)


def pre_fork(server: Any, worker: Any) -> None:  # noqa: ARG001
    """Keep signals for a worker that cannot handle them yet."""
    graceful_shutdown.hold_signals()


def on_exit(server: Any) -> None:  # noqa: ARG001
    """Clean up in the master."""
    graceful_shutdown.cancel_timer()


def pre_request(worker: Any, req: Any) -> None:  # noqa: ARG001
    """Close persistent connections while stopping."""
    graceful_shutdown.close_idle_connections(worker)
