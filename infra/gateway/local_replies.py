"""Envoy's access log, and its own error responses."""

import json
from http import HTTPStatus
from typing import Any

from chassis.http.reason_phrases import reason_phrase

RETRY_AFTER_SECONDS = 2

_UNAVAILABLE = "This content is temporarily unavailable."
_TIMEOUT = "The request timed out."
_DETAILS = {
    400: "The request or its path is malformed.",
    403: "This kind of request is not supported.",
    404: "This address does not exist.",
    408: "The request was not received in time.",
    413: "The request is too large.",
    431: "The request's headers are too large.",
    500: "An unexpected error occurred.",
    501: "This kind of request is not supported.",
    502: "An invalid response was received from the forum.",
    503: _UNAVAILABLE,
    504: _TIMEOUT,
}
# Response flags: no healthy upstream, connection failure, connection termination, reset (remote,
# local), overflow, retries used up, no such cluster.
_NO_RESPONSE_FLAGS = ["UH", "UF", "UC", "UR", "LR", "UO", "URX", "NC"]

# With spdlog's placeholders; `%j` is the message, escaped for JSON.
APPLICATION_LOG = {
    "time": "%Y-%m-%dT%H:%M:%S.%e%z",
    "component": "gateway",
    "level": "%l",
    "logger": "%n",
    "message": "%j",
}

# No stylesheet and no script: the page needs nothing that may be down.
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Temporarily unavailable</title>
</head>
<body>
<main>
<h1>The forum is temporarily unavailable</h1>
<p>No saved data is lost. Reload this page in a moment.</p>
<p>If you were submitting a form, go back first: your text is still in it.</p>
</main>
</body>
</html>
"""

STDOUT_LOG = "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
# A request that Envoy refuses early has a request id in the response only.
_REQUEST_ID = {
    "operators": [
        {"command": "REQ", "param": "X-REQUEST-ID"},
        {"command": "RESP", "param": "X-REQUEST-ID"},
    ]
}


def _all(*filters: dict[str, Any]) -> dict[str, Any]:
    return {"and_filter": {"filters": list(filters)}}


def _header(name: str, matching: dict[str, Any], *, inverted: bool = False) -> dict[str, Any]:
    header = {"name": name, "string_match": matching, "invert_match": inverted}
    return {"header_filter": {"header": header}}


_ACCESS = {
    "time": "%START_TIME%",
    "level": "INFO",
    "logger": "access",
    "message": "request",
    "component": "gateway",
    "request_id": f"%COALESCE({json.dumps(_REQUEST_ID)})%",
    "method": "%REQ(:METHOD)%",
    "path": "%PATH(NQ:ORIG_OR_PATH)%",
    "route": "%ROUTE_NAME%",
    "cluster": "%UPSTREAM_CLUSTER%",
    "status": "%RESPONSE_CODE%",
    "duration_ms": "%DURATION%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "flags": "%RESPONSE_FLAGS%",
}


def access_log(log_format: str) -> dict[str, Any]:
    """Log each request as a line on stdout, without query string, cookies or credentials.

    The lines have the form of those of the components, JSON or text (`chassis.logs`).
    """
    return {
        "name": "envoy.access_loggers.stdout",
        # Requested every few seconds by health checks.
        "filter": _all(
            *(_header(":path", {"exact": path}, inverted=True) for path in ("/healthz", "/readyz"))
        ),
        "typed_config": {
            "@type": STDOUT_LOG,
            "log_format": _text_access() if log_format == "text" else {"json_format": _ACCESS},
        },
    }


def _text_access() -> dict[str, Any]:
    shown = ("request_id", "method", "path", "route", "cluster", "status", "duration_ms")
    fields = " ".join(f"{name}={_ACCESS[name]}" for name in (*shown, "attempts", "flags"))
    line = f"%START_TIME% INFO access: request {fields}\n"
    return {"text_format_source": {"inline_string": line}}


def application_log(log_format: str) -> dict[str, Any]:
    """Return the form of Envoy's own messages."""
    text = "%Y-%m-%dT%H:%M:%S.%e%z %l %n: %v"
    return {"text_format": text} if log_format == "text" else {"json_format": APPLICATION_LOG}


_FROM_BROWSER = (
    _header("accept", {"contains": "text/html"}),
    _header(":path", {"prefix": "/api/"}, inverted=True),
)


def local_replies(revision: str) -> dict[str, Any]:
    """Return the bodies of Envoy's own responses: problem+json, or a page for browsers."""
    failures = {504: _flags(["UT"]), 503: _flags(_NO_RESPONSE_FLAGS)}
    for_people = [
        _reply(_all(when, *_FROM_BROWSER), status, revision) | {"body_format_override": _page()}
        for status, when in failures.items()
    ]
    by_flag = [_reply(when, status, revision) for status, when in failures.items()]
    by_status = [_reply(_status(status), status, revision) for status in _DETAILS]
    return {
        "mappers": [*for_people, *by_flag, *by_status],
        "body_format": _body("Error", "The gateway rejected the request."),
    }


def _reply(when: dict[str, Any], status: int, revision: str) -> dict[str, Any]:
    headers = {"x-served-by": f"gateway/{revision}", "x-request-id": "%UNIQUE_ID%"}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["retry-after"] = str(RETRY_AFTER_SECONDS)
    return {
        "filter": when,
        "status_code": status,
        "headers_to_add": [
            {
                "header": {"key": key, "value": value},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
            for key, value in headers.items()
        ],
        "body_format_override": _body(reason_phrase(status), _DETAILS[status]),
    }


def _body(title: str, detail: str) -> dict[str, Any]:
    return {
        "json_format": {
            "type": "about:blank",
            "title": title,
            "status": "%RESPONSE_CODE%",
            "detail": detail,
        },
        "content_type": "application/problem+json",
    }


def _page() -> dict[str, Any]:
    """Return the error page, the only page that the monolith does not render."""
    return {
        "text_format_source": {"inline_string": PAGE},
        "content_type": "text/html; charset=utf-8",
    }


def _flags(flags: list[str]) -> dict[str, Any]:
    return {"response_flag_filter": {"flags": flags}}


def _status(status: int) -> dict[str, Any]:
    value = {"default_value": status, "runtime_key": f"local_reply.{status}"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}
