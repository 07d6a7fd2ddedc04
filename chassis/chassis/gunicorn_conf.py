"""How gunicorn runs every component: `gunicorn -c python:chassis.gunicorn_conf <pkg>.wsgi:app`."""

import os

bind = f"0.0.0.0:{os.environ.get('PORT', '8080')}"
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = int(os.environ.get("WORKER_THREADS", "8"))
# One import for all workers: a faster start, and memory that they share.
preload_app = True
timeout = 30
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
