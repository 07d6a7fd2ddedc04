"""A component's Flask application: request ids, health, limits, problems and logs."""

import re
from collections.abc import Callable, Iterable, Mapping
from inspect import signature
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, Response, current_app, g, json, request
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from uuid_utils import uuid4
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import BaseConverter
from werkzeug.wsgi import get_input_stream

from chassis import cookies, deadline, headers, logs
from chassis.errors import Failure, FieldError, Invalid
from chassis.http import graceful_shutdown, problems
from chassis.http.problems import problem_response

MAX_BODY = 256 * 1024
"""Maximum bytes of a request's body. Escaped, as many JSON libraries do, each of 16,000 characters
takes up to 12 bytes."""
MAX_DISCARDED = 1024 * 1024
MAX_DEPTH = 20  # of a JSON body
# Lets Envoy still send requests here while no other instance is ready.
_DEGRADED = {"X-Envoy-Degraded": "true"}
_REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


class _IdConverter(BaseConverter):
    """URL converter for ids; anything else in the path is a plain 404."""

    regex = r"[0-9A-Za-z-]{1,64}"


def create_app(
    component: str,
    revision: str,
    checks: Mapping[str, Callable[[], None]],
    *,
    secret: str,
    import_name: str | None = None,
) -> OpenAPI:
    """Create a component's application.

    `/readyz` runs `checks`; each raises a Failure if the component is not ready. The names of
    cookies depend on `secret`, which all components of a forum share.
    """
    app = OpenAPI(
        import_name or component,
        info=Info(title=component, version=revision),
        security_schemes={},
        doc_ui=False,
        validation_error_status=400,
        validation_error_callback=problems.validation_response,
        static_folder=None,
    )
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY
    cookies.configure(app, secret)
    app.url_map.converters["id"] = _IdConverter
    app.json.sort_keys = False  # type: ignore[attr-defined]
    served_by = f"{component}/{revision}"

    @app.before_request
    def _identify() -> None:
        given = request.headers.get(headers.REQUEST_ID, "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid4())

    @app.before_request
    def _require_one_host() -> None:
        """Refuse several Host headers (RFC 9112), which the gateway joins with commas."""
        if "," in request.headers.get("Host", ""):
            raise BadRequest("A request must have one Host header.")

    @app.after_request
    def _name(response: Response) -> Response:
        response.headers[headers.REQUEST_ID] = g.get("request_id", "")
        response.headers[headers.SERVED_BY] = served_by
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        # No other site embeds what a component serves.
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if request.is_secure:
            # A browser that came by HTTPS once does not come by HTTP again for a year.
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        return response

    logs.log_requests(app)
    problems.register_error_handlers(app)
    app.before_request(_require_json_object)
    _add_health(app, checks)
    # One proxy is in front of every component; it forwards the client's address and the scheme.
    proxied = ProxyFix(app.wsgi_app, x_for=1, x_proto=1)
    whole = _discard_unread_body(proxied)
    app.wsgi_app = deadline.add_deadlines(whole)  # type: ignore[assignment, method-assign]
    return app


def _discard_unread_body(app: WSGIApplication) -> WSGIApplication:
    """Read the unread rest of a refused request's body before responding.

    Closing a connection with unread bytes resets it, and a reset can overtake the response: the
    load balancer would report a failing component instead of a body that is too large.
    """

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # Ends with the body, also on servers whose input stream continues with the connection.
        body = environ["wsgi.input"] = get_input_stream(environ)
        answer = app(environ, start_response)
        left = MAX_DISCARDED
        while left > 0 and (read := body.read(min(left, 64 * 1024))):
            left -= len(read)
        return answer

    return application


def _require_json_object() -> Response | None:
    """Refuse bodies other than JSON objects: 413 too large, 415 another type, 400 not an object."""
    if not is_api_request() or request.url_rule is None:
        return None
    if request.method not in {"POST", "PUT", "PATCH"} and not _deletes_with_body():
        return None
    body = request.get_data(cache=True)
    if request.content_length is None and len(body) >= MAX_BODY:
        # Werkzeug truncates a chunked body at the limit instead of refusing it.
        raise RequestEntityTooLarge
    if request.headers.get("Content-Encoding", "identity") != "identity":
        return problem_response(415, "The body must not be compressed.")
    if request.mimetype != "application/json":
        return problem_response(415, "The body must be application/json.")
    try:
        parsed = json.loads(body.decode())
    except (ValueError, RecursionError):
        return problems.failure_response(Invalid(FieldError("", "must be JSON in UTF-8")))
    if not isinstance(parsed, dict):
        return problems.failure_response(Invalid(FieldError("", "must be a JSON object")))
    if not _fits_depth(parsed, MAX_DEPTH):
        # Far below the depth that exhausts the stack of a JSON parser.
        return problems.failure_response(Invalid(FieldError("", "is nested too deeply")))
    return None


def _deletes_with_body() -> bool:
    """Return whether the request is for one of the few deletions whose handler takes a body."""
    if request.method != "DELETE" or request.endpoint is None:
        return False
    return "body" in signature(current_app.view_functions[request.endpoint]).parameters


def is_api_request() -> bool:
    """Return whether the request is for the API, where errors are JSON too."""
    return request.path == "/api" or request.path.startswith("/api/")


def _fits_depth(value: object, levels: int) -> bool:
    match value:
        case dict():
            return levels > 0 and all(_fits_depth(part, levels - 1) for part in value.values())
        case list():
            return levels > 0 and all(_fits_depth(part, levels - 1) for part in value)
    return True


def _add_health(app: Flask, checks: Mapping[str, Callable[[], None]]) -> None:
    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        """Report that the process is alive, without checking dependencies."""
        return {"status": "alive"}

    @app.get("/readyz")
    def readyz() -> Response:
        """Report whether the component is ready."""
        if graceful_shutdown.has_begun():
            return problem_response(503, "shutting down", headers=_DEGRADED)
        results = {}
        for name, check in checks.items():
            try:
                check()
            except Failure as failure:
                results[name] = failure.detail
        if results:
            detail = "; ".join(f"{name}: {text}" for name, text in results.items())
            return problem_response(503, detail, headers=_DEGRADED)
        return Response(json.dumps({"status": "ready"}), content_type="application/json")
