"""The OpenAPI 3.1 document of one domain's API, the same from the monolith and from the service."""

from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models import APISpec
from flask_openapi3.models.components import Components
from flask_openapi3.models.contact import Contact
from flask_openapi3.models.info import Info
from flask_openapi3.models.license import License
from flask_openapi3.models.server import Server
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel

from chassis.cookies import SESSION, cookie_name
from chassis.etags import PATTERN
from chassis.headers import IDEMPOTENCY_KEY
from chassis.http.problems import Problem
from chassis.http.responses import public_json_response
from chassis.product import NAME

PROBLEM = "#/components/schemas/Problem"
_DESCRIPTIONS = {
    400: "The request is not valid",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    409: "Conflicts with the current state",
    412: "The version in If-Match is outdated",
    413: "The body is over 256 KiB",
    415: "The body is not application/json",
    422: "The idempotency key was already used for a different request",
    429: "Rate limit exceeded",
    503: "Temporarily unavailable",
}
SECURITY: list[dict[str, list[Any]]] = [{"bearer": []}, {"cookie": []}]
SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "cookie": {"type": "apiKey", "in": "cookie"},
}

_ETAG = {
    "description": "The version of what users can edit, if any, and a digest of the representation",
    "schema": {"type": "string", "pattern": PATTERN},
}
# A request header implies the response that it can lead to.
_HEADERS = {
    "304": (
        "If-None-Match",
        "ETags of representations that the client has; a match gets a 304 without a body.",
        {"type": "string", "examples": ['"1-2a8af5d1f9e9d2a4a3c0e4b7"']},
    ),
    "412": (
        "If-Match",
        "ETags of the versions to replace; without it, any version is replaced. Only the version in"
        " a tag counts, so changed counters and names do not refuse an edit.",
        {"type": "string", "examples": ['"1-2a8af5d1f9e9d2a4a3c0e4b7"']},
    ),
    "422": (
        IDEMPOTENCY_KEY,
        "Makes the request safe to retry: repeats within 24 hours get the first response.",
        {"type": "string", "pattern": "^[!-~]{1,200}$"},
    ),
}

Responses = dict[str | int, type[BaseModel] | dict[Any, Any] | None]


def describe_responses(
    success: int, model: type[BaseModel] | None, *failures: int, headers: tuple[str, ...] = ()
) -> Responses:
    """Describe the possible responses of an operation."""
    described: Responses = {}
    if model is None or headers:
        content = (
            {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}
            if model
            else None
        )
        entry: dict[str, Any] = {"description": "Done"}
        if content:
            entry["content"] = content
        if headers:
            entry["headers"] = {
                name: _ETAG if name == "ETag" else {"schema": {"type": "string"}}
                for name in headers
            }
        described[success] = entry
    else:
        described[success] = model
    for status in failures:
        described[status] = {
            "description": _DESCRIPTIONS[status],
            "content": {"application/problem+json": {"schema": {"$ref": PROBLEM}}},
        }
    return described


def build_document(
    blueprint: APIBlueprint, title: str, description: str, *models: type[BaseModel]
) -> dict[str, Any]:
    """Build the document of the operations on `blueprint`.

    An operation's summary is the first line of its handler's docstring, and its description the
    rest. `models` are those that only responses use, and those with keywords that flask-openapi3
    drops.
    """
    schemas = dict(blueprint.components_schemas)
    spec = APISpec(
        openapi="3.1.0",
        info=Info(
            title=title,
            version="1",
            description=description,
            contact=Contact(name=f"The {NAME}'s contributors"),
            license=License(name="MIT", identifier="MIT"),
        ),
        servers=[Server(url="/")],
        tags=[Tag(name=title, description=description)],
        paths=dict(sorted(blueprint.paths.items())),
        components=Components(schemas=schemas),
    )
    document = spec.model_dump(mode="json", by_alias=True, exclude_unset=True, warnings=False)
    for path in document["paths"].values():
        for method, operation in path.items():
            operation["tags"] = [title]
            # flask-openapi3 writes each end of a line as HTML.
            text = operation.get("description", "")
            operation["description"] = text.replace("<br/>", " ").strip()
            if method == "get":
                _describe_conditional_read(operation)
            _add_headers(operation)
            # Without it, it is unclear whether a session is optional or was forgotten.
            operation.setdefault("security", [])
    parts = document["components"]["schemas"]
    answered: tuple[type[BaseModel], ...] = (Problem, *models)
    for model in answered:
        schema = model.model_json_schema(
            ref_template="#/components/schemas/{model}", mode="serialization"
        )
        parts.update(schema.pop("$defs", {}))
        parts[model.__name__] = schema
    for part in parts.values():
        part.pop("$defs", None)
    document["components"]["schemas"] = dict(sorted(parts.items()))
    document["components"]["securitySchemes"] = SECURITY_SCHEMES
    return document


def document_response(document: dict[str, Any]) -> Response:
    """Return a document, with the name of this forum's session cookie."""
    components = document["components"]
    schemes = components["securitySchemes"]
    cookie = schemes["cookie"] | {"name": cookie_name(SESSION)}
    named = components | {"securitySchemes": schemes | {"cookie": cookie}}
    return public_json_response(document | {"components": named})


def _describe_conditional_read(operation: dict[str, Any]) -> None:
    """Add what `json_response` does with every read: an ETag, and 304."""
    read = {"headers": {"ETag": _ETAG}}
    operation["responses"]["200"] |= read
    operation["responses"]["304"] = {"description": "Not modified", **read}


def _add_headers(operation: dict[str, Any]) -> None:
    for status in _HEADERS.keys() & operation["responses"].keys():
        name, description, schema = _HEADERS[status]
        operation.setdefault("parameters", []).append(
            {
                "name": name,
                "in": "header",
                "required": False,
                "description": description,
                "schema": schema,
            }
        )
