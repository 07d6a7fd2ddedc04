"""JSON responses of an API."""

import json
from typing import Annotated, Any

from flask import Response, current_app
from pydantic import BaseModel, Field

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
    """Build a JSON response; `version` becomes the ETag, `private` forbids caching."""
    text = body.model_dump_json() if body is not None else None
    response = current_app.response_class(text, status, content_type="application/json")
    if body is None:
        del response.headers["Content-Type"]
    if version is not None:
        response.set_etag(str(version))
    if location is not None:
        response.headers["Location"] = location
    response.headers["Cache-Control"] = "no-store" if private else "no-cache"
    return response


def public_json_response(content: dict[str, Any]) -> Response:
    """Build a JSON response that is the same for everybody; caches may keep it for 5 minutes."""
    response = current_app.response_class(json.dumps(content), content_type="application/json")
    response.headers["Cache-Control"] = "public, max-age=300"
    return response
