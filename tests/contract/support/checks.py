"""Checks of every response: the component that served it, and its format."""

import re
from urllib.parse import urlsplit

import requests

from chassis.etags import make_etag
from chassis.http.reason_phrases import reason_phrase
from infra.gateway import routes
from tests.contract.support.forum import Forum

GATEWAY = "gateway"
_ROUTES = routes.load()
_AMBIGUOUS = re.compile(r"%(2f|5c|00)", re.IGNORECASE)


def check(response: requests.Response, target: str, forum: Forum) -> None:
    """Check the component that served a response, and its format."""
    headers = response.headers
    assert headers.get("X-Request-Id"), "an answer without X-Request-Id"
    component, _, revision = headers.get("X-Served-By", "").partition("/")
    what = f"{response.request.method} {target} → {response.status_code} {response.text[:500]}"
    assert revision, f"an answer without X-Served-By: {what}"
    if component == GATEWAY:
        # No component sees a path with an escaped slash or NUL: routes and components could
        # read it differently.
        assert response.status_code == 400, what
        assert _AMBIGUOUS.search(target), what
        return
    assert component == owner(forum, target), f"answered by {component}: {what}"
    assert response.status_code < 500, f"{response.status_code} {response.text[:500]}"
    if response.status_code >= 400 and target.startswith("/api"):
        _check_problem(response)
    if response.status_code in {200, 201} and target.startswith("/api") and response.content:
        assert headers["Content-Type"] == "application/json"
        _check_etag(response)
    if response.status_code in {204, 304}:
        assert response.content == b""
        assert "Content-Type" not in headers


def owner(forum: Forum, target: str) -> str:
    """Return the component that must serve a path at this stage."""
    path = urlsplit(target).path
    for route in _ROUTES.at(forum.extracted).routes:
        if path == route.prefix or path.startswith(route.prefix + "/"):
            return route.component
    return _ROUTES.default


def _check_etag(response: requests.Response) -> None:
    """Check that the tag is exact: its digest is that of these very bytes."""
    etag = response.headers.get("ETag")
    if etag is None:
        assert response.request.method != "GET"
        return
    assert f'"{etag.strip(chr(34)).rpartition("-")[2]}"' == make_etag(response.content)


def _check_problem(response: requests.Response) -> None:
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "no-store" in response.headers["Cache-Control"]
    if response.request.method == "HEAD":
        return
    problem = response.json()
    assert {"type", "title", "status", "detail"} <= problem.keys()
    assert problem.keys() <= {"type", "title", "status", "detail", "errors"}
    assert problem["status"] == response.status_code
    assert problem["title"] == reason_phrase(response.status_code)
    assert problem["detail"]
    assert "Traceback" not in response.text
    if response.status_code == 400:
        assert problem["errors"], "a 400 that names no field"
        for error in problem["errors"]:
            assert error.keys() == {"field", "message"}
            assert error["message"]
    else:
        assert "errors" not in problem
    assert ("WWW-Authenticate" in response.headers) == (response.status_code == 401)
