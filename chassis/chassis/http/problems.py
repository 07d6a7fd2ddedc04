"""Failures as `application/problem+json` (RFC 9457)."""

import logging
from typing import Any

from flask import Flask, Response, json
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import HTTPException
from werkzeug.sansio.response import Response as BaseResponse

from chassis import headers as header_names
from chassis.errors import (
    CutoverInProgress,
    Failure,
    FieldError,
    Invalid,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from chassis.http.reason_phrases import reason_phrase

log = logging.getLogger(__name__)

DETAILS = {
    404: "This address does not exist.",
    405: "This address does not support this method.",
    413: "The request is too large.",
}


class FieldProblem(BaseModel):
    """One field that was wrong; `field` is a dotted path, empty for the whole body."""

    field: str
    message: str


class Problem(BaseModel):
    """A failure, as defined by RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | None = None


def problem_response(
    status: int,
    detail: str,
    *,
    kind: str = "about:blank",
    errors: tuple[FieldError, ...] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    """Build the response for a failure."""
    content: dict[str, Any] = {
        "type": kind,
        "title": reason_phrase(status),
        "status": status,
        "detail": detail,
    }
    if errors:
        content["errors"] = [{"field": error.field, "message": error.message} for error in errors]
    response = Response(
        json.dumps(content), status, content_type="application/problem+json", headers=headers
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def field_errors(error: ValidationError) -> tuple[FieldError, ...]:
    """Return every field that pydantic refused, without echoing the input."""
    return tuple(
        FieldError(".".join(str(part) for part in entry["loc"]), _message(entry))
        for entry in error.errors(include_url=False, include_input=False)
    )


def _message(entry: ErrorDetails) -> str:
    """Return pydantic's message, or one for people instead of a regular expression."""
    if entry["type"] == "string_pattern_mismatch":
        is_blank = entry["ctx"]["pattern"] == r"\S"
        return "must not be empty" if is_blank else "does not have the documented form"
    return entry["msg"].removeprefix("Value error, ")


def failure_response(failure: Failure) -> Response:
    """Build the response for an expected failure."""
    headers: dict[str, str] = {}
    if isinstance(failure, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(failure, RateLimited | Unavailable):
        headers["Retry-After"] = str(failure.retry_after)
    if isinstance(failure, CutoverInProgress):
        headers[header_names.CUTOVER] = "true"
    errors = failure.errors if isinstance(failure, Invalid) else ()
    return problem_response(
        failure.status, failure.detail, kind=failure.problem_type, errors=errors, headers=headers
    )


def validation_response(error: ValidationError) -> Response:
    """Build the response for input that does not fit its schema."""
    return failure_response(Invalid(*field_errors(error)))


def http_error_response(error: HTTPException) -> BaseResponse:
    """Build the response for a request that Flask or Werkzeug refused."""
    if error.response is not None:
        # Built by another handler: it already is a response.
        return error.get_response()
    status = error.code or 500
    # RequestRedirect and similar exceptions have their own response.
    if status < 400:
        return error.get_response()
    made = problem_response(status, DETAILS.get(status) or error.description or "")
    copy_headers(error, made)
    return made


def copy_headers(error: HTTPException, response: BaseResponse) -> None:
    """Add the headers that belong to an error, such as `Allow`, to its response."""
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value


def crash_response(error: Exception) -> Response:
    """Log an unexpected exception, and respond without any details."""
    log.error("unhandled error", exc_info=error)
    return problem_response(500, "An unexpected error occurred. It has been logged.")


def register_error_handlers(app: Flask) -> None:
    """Make `app` return every error as problem+json."""
    app.register_error_handler(Failure, failure_response)
    app.register_error_handler(HTTPException, http_error_response)
    app.register_error_handler(Exception, crash_response)
