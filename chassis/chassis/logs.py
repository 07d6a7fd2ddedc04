"""JSON logs on stdout, one object per line, without secrets."""

import logging
import sys
import time
from typing import Any

from flask import Flask, Response, g, has_request_context, request
from pythonjsonlogger.json import JsonFormatter

access = logging.getLogger("access")


class _Context(logging.Filter):
    """Filter that adds the component and, within a request, the request id."""

    def __init__(self, component: str) -> None:
        super().__init__()
        self.component = component

    def filter(self, record: logging.LogRecord) -> bool:
        record.component = self.component
        if has_request_context() and "request_id" in g:
            record.request_id = g.request_id
        return True


def configure(component: str, level: int = logging.INFO) -> None:
    """Configure all logs of this process as JSON on stdout."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        JsonFormatter(
            ["asctime", "levelname", "name", "message"],
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            datefmt="%Y-%m-%dT%H:%M:%S%z",
        )
    )
    handler.addFilter(_Context(component))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # The source of the credentials is of no use in the log of each worker's start.
    logging.getLogger("botocore").setLevel(logging.WARNING)


def log_requests(app: Flask) -> None:
    """Log one line for each request: the route, never the query or headers."""

    @app.before_request
    def _start() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def _finish(response: Response) -> Response:
        if request.endpoint in {"healthz", "readyz"} and response.status_code < 400:
            return response
        started = g.get("started")
        fields: dict[str, Any] = {
            "method": request.method,
            # The rule, not the path: a path can contain something typed by mistake.
            "route": request.url_rule.rule if request.url_rule else None,
            "status": response.status_code,
            "duration_ms": round((time.perf_counter() - started) * 1000, 1) if started else None,
        }
        access.info("request", extra=fields)
        return response
