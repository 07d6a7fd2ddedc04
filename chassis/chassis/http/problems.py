"""Failures as `application/problem+json` (RFC 9457)."""

import logging
from typing import Any

from flask import Flask, Response, json
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.sansio.response import Response as BaseResponse

from chassis.errors import (
    Failure,
    FieldError,
    Invalid,
    Moving,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from chassis.http.reason_phrases import phrase

log = logging.getLogger(__name__)

MOVING = "X-Moving"
"""Marks a 503 of a component that is well, and did nothing: its domain is on the move."""

DETAILS = {
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
    413: "The request is too large.",
}


class FieldProblem(BaseModel):
    """One field that was wrong; `field` is a dotted path, empty for the whole body."""

    field: str
    message: str


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | None = None


def problem(
    status: int,
    detail: str,
    *,
    kind: str = "about:blank",
    errors: tuple[FieldError, ...] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    """Make the answer for one failure."""
    content: dict[str, Any] = {
        "type": kind,
        "title": phrase(status),
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
    """Name every field that pydantic refused, without echoing what was sent."""
    return tuple(
        FieldError(
            ".".join(str(part) for part in entry["loc"]),
            entry["msg"].removeprefix("Value error, "),
        )
        for entry in error.errors(include_url=False, include_input=False, include_context=False)
    )


def from_failure(failure: Failure) -> Response:
    """Make the answer for an expected failure."""
    headers: dict[str, str] = {}
    if isinstance(failure, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(failure, TooMany | Unavailable):
        headers["Retry-After"] = str(failure.retry_after)
    if isinstance(failure, Moving):
        headers[MOVING] = "true"
    errors = failure.errors if isinstance(failure, Invalid) else ()
    return problem(
        failure.status, failure.detail, kind=failure.kind, errors=errors, headers=headers
    )


def from_validation(error: ValidationError) -> Response:
    """Make the answer for input that does not fit its schema."""
    return from_failure(Invalid(*field_errors(error)))


def from_http(error: HTTPException) -> BaseResponse:
    """Make the answer for what Flask or Werkzeug refused by itself."""
    if error.response is not None:
        # Made by another handler: it is an answer already.
        return error.get_response()
    status = error.code or 500
    # RequestRedirect and its like carry their own answer.
    if status < 400:
        return error.get_response()
    made = problem(status, DETAILS.get(status) or error.description or "")
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            made.headers[name] = value
    return made


def from_crash(error: Exception) -> Response:
    """Log what nobody expected and say nothing of it outside."""
    log.error("unhandled error", exc_info=error)
    return problem(500, "Something went wrong here. It has been logged.")


def install(app: Flask) -> None:
    """Let every error of `app` leave as problem+json."""
    app.register_error_handler(Failure, from_failure)
    app.register_error_handler(HTTPException, from_http)
    app.register_error_handler(Exception, from_crash)
