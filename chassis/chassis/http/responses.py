"""JSON responses of an API."""

import json
from typing import Annotated, Any

from flask import Response, current_app, request
from pydantic import BaseModel, Field

from chassis.etags import make_etag, matches_weakly

Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""A time in a response, in UTC."""


def json_response(
    body: BaseModel | None,
    status: int = 200,
    *,
    version: int | None = None,
    location: str | None = None,
    private: bool = False,
) -> Response:
    """Build a JSON response; `version` becomes part of the ETag, `private` forbids caching.

    A read has an ETag also without a version, and the response is a 304 if the client has it.
    """
    text = body.model_dump_json() if body is not None else None
    response = current_app.response_class(text, status, content_type="application/json")
    if body is None:
        del response.headers["Content-Type"]
    if version is not None:
        response.headers["ETag"] = make_etag(response.get_data(), version)
    if location is not None:
        response.headers["Location"] = location
    response.headers["Cache-Control"] = "no-store" if private else "no-cache"
    return _or_not_modified(response)


def public_json_response(content: dict[str, Any]) -> Response:
    """Build a JSON response that is the same for everybody; caches may keep it for 5 minutes."""
    response = current_app.response_class(json.dumps(content), content_type="application/json")
    response.headers["Cache-Control"] = "public, max-age=300"
    return _or_not_modified(response)


def _or_not_modified(response: Response) -> Response:
    """Add the ETag of a read, and return a 304 to a client that has this representation."""
    if request.method not in {"GET", "HEAD"} or response.status_code != 200:
        return response
    etag = response.headers.get("ETag")
    if etag is None:
        etag = response.headers["ETag"] = make_etag(response.get_data())
    # Not Werkzeug's `make_conditional`, which accepts tags without quotes and reads If-Match too.
    if matches_weakly(request.headers.get("If-None-Match", ""), etag):
        response.status_code = 304
        response.set_data(b"")
        del response.headers["Content-Type"]
    return response
