"""Errors as pages; the API's stay problem+json."""

from flask import Response, current_app, g, redirect, request
from flask_openapi3.openapi import OpenAPI
from werkzeug.exceptions import HTTPException
from werkzeug.sansio.response import Response as BaseResponse

from chassis.auth.sessions import clear_session_cookie
from chassis.cookies import SESSION, cookie_name
from chassis.errors import Failure, RateLimited, Unauthenticated, Unavailable
from chassis.http import problems
from chassis.http.app import is_api_request
from chassis.http.problems import DETAILS
from forum.web.forms import retry_message
from forum.web.pages.api_docs import API_DOCS
from forum.web.pending_form import from_request
from forum.web.rendering import render_page

FOR_MACHINES = ("/healthz", "/readyz", "/eventz")
_TITLES = {
    400: "Invalid request",
    401: "Sign-in required",
    403: "Not allowed",
    404: "Page not found",
    405: "Action not supported",
    409: "Action not possible",
    412: "Already changed",
    413: "Text too long",
    429: "Too many attempts",
    500: "Something went wrong",
    503: "Temporarily unavailable",
}


def page(status: int, detail: str, retry_after: int | None = None) -> Response:
    """Build an error page; it contains the user's input, so that it is not lost."""
    kept = None if status == 413 else from_request()
    title = _TITLES.get(status, _TITLES[500])
    response = render_page(
        "error.html",
        status,
        status=status,
        title=title,
        detail=detail,
        again=retry_message(retry_after) if retry_after is not None else None,
        kept=kept,
    )
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def _without_slash() -> str:
    """Return the address of the page that somebody asked for with a slash at its end; "" if none.

    The API stays strict, as it is at the services.
    """
    path = request.path.rstrip("/")
    if (
        request.url_rule is not None
        or request.method not in {"GET", "HEAD"}
        or path == request.path
    ):
        return ""
    if path.startswith("//") or (is_api_request() and path != API_DOCS):
        return ""
    if not current_app.url_map.bind("").test(path, "GET"):
        return ""
    query = request.query_string.decode("latin-1")
    return f"{path}?{query}" if query else path


def install(app: OpenAPI) -> None:
    """Register handlers that show errors as pages."""

    def for_page() -> bool:
        return not is_api_request() and request.path not in FOR_MACHINES

    @app.errorhandler(Failure)
    def failed(failure: Failure) -> Response:
        if not for_page():
            return problems.failure_response(failure)
        detail = failure.detail
        if isinstance(failure, Unauthenticated):
            g.identity = None
            detail = "Your session has expired, or you are not signed in."
        after = failure.retry_after if isinstance(failure, RateLimited | Unavailable) else None
        response = page(failure.status, detail, after)
        if isinstance(failure, Unauthenticated):
            response.headers["WWW-Authenticate"] = "Bearer"
            if cookie_name(SESSION) in request.cookies:
                # Otherwise the next page would show a user who is no longer signed in.
                clear_session_cookie(response)
        return response

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> BaseResponse:
        if target := _without_slash():
            return redirect(target, 308)
        if not for_page() or (error.code or 500) < 400:
            return problems.http_error_response(error)
        status = error.code or 500
        response = page(status, DETAILS.get(status) or error.description or "")
        problems.copy_headers(error, response)
        return response

    @app.errorhandler(Exception)
    def crashed(error: Exception) -> Response:
        answer = problems.crash_response(error)
        if not for_page():
            return answer
        return page(500, "The error has been logged. Try again in a moment.")
