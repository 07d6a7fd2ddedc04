"""JSON request bodies, query parameters and conditional headers of an API."""

import re
from functools import cache
from typing import Annotated, Any

from flask import request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from chassis.concurrency import Precondition
from chassis.errors import FieldError, Invalid
from chassis.etags import read_version, split_tags
from chassis.headers import IDEMPOTENCY_KEY
from chassis.idempotency.keys import IdempotencyKey, IdempotencyKeys

DEFAULT_LIMIT = 20


class RequestBody(BaseModel):
    """A JSON body: no unknown field, no coercion."""

    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=False)


class PatchBody(RequestBody):
    """The JSON body of a PATCH: fields that are not named stay unchanged."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})


class QueryParameters(BaseModel):
    """Query parameters: no unknown one."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    @cache
    def _schema(cls) -> dict[str, Any]:
        return super().model_json_schema()

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the JSON schema; cached, because flask-openapi3 asks for it at every request."""
        if args or kwargs:
            return super().model_json_schema(*args, **kwargs)
        return cls._schema()


def _digits(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,9}", value):
        message = "must be a whole number"
        raise ValueError(message)
    return value


class PageParameters(QueryParameters):
    """The size and position of a page of a list."""

    limit: Annotated[int, Field(ge=1, le=100), BeforeValidator(_digits)] = DEFAULT_LIMIT
    cursor: Annotated[str, Field(min_length=1, max_length=1024)] = Field(default_factory=str)


def changed_fields(body: BaseModel) -> dict[str, Any]:
    """Return the fields that a PATCH names.

    Raises:
        Invalid: the body names none.
    """
    named = body.model_dump(exclude_unset=True)
    if not named:
        raise Invalid(FieldError("", "must name at least one field to change"))
    return named


def read_idempotency_key(
    keys: IdempotencyKeys, owner: str, payload: dict[str, Any]
) -> IdempotencyKey | None:
    """Read the request's `Idempotency-Key`, scoped to its owner and path.

    Raises:
        Invalid: the key has the wrong form.
    """
    return keys.from_header(
        request.headers.get(IDEMPOTENCY_KEY),
        owner=owner,
        path=request.path,
        payload=payload,
    )


def read_precondition() -> Precondition:
    """Read `If-Match`: the versions that the caller means to replace.

    A weak or unknown tag matches nothing (RFC 9110 compares strongly here). The digest in a tag
    does not count: an edit overwrites neither counters nor names, so they may have changed.
    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    # Not Werkzeug's parser, which accepts tags without quotes and fails on empty ones.
    versions = (read_version(tag) for tag in split_tags(header))
    return frozenset(version for version in versions if version is not None)
