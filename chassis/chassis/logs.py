"""Logs on stdout, one line each, without secrets: JSON for machines, or text for people."""

import json
import logging
import re
import sys
import time
from typing import Any, Literal

from flask import Flask, Response, g, has_request_context, request
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

access = logging.getLogger("access")
_NEEDS_QUOTES = re.compile(
    r"[^!#-~]|="
)  # whatever is not a printable ASCII character without " and =


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


class _Text(logging.Formatter):
    """Formatter of a record as text, with its other fields as `name=value`."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        fields = {
            name: value
            for name, value in vars(record).items()
            if name not in RESERVED_ATTRS and name != "component" and value is not None
        }
        head = f"{record.asctime} {record.levelname} {record.name}: {_one_line(record.message)}"
        return " ".join([head, *(f"{name}={_quoted(value)}" for name, value in fields.items())])


def configure(component: str, log_format: Literal["json", "text"] = "json") -> None:
    """Configure all logs of this process, on stdout."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_formatter(log_format))
    handler.addFilter(_Context(component))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    # The source of the credentials is of no use in the log of each worker's start.
    logging.getLogger("botocore").setLevel(logging.WARNING)


def _formatter(log_format: str) -> logging.Formatter:
    formatter: logging.Formatter
    if log_format == "text":
        formatter = _Text("%(asctime)s")
    else:
        names = {"asctime": "time", "levelname": "level", "name": "logger"}
        formatter = JsonFormatter([*names, "message"], rename_fields=names)
    formatter.converter = time.gmtime
    formatter.default_time_format, formatter.default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"
    return formatter


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


def _one_line(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _quoted(value: Any) -> str:
    text = str(value)
    return json.dumps(text) if _NEEDS_QUOTES.search(text) else text
