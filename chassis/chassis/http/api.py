"""What every JSON API here has in common: strict input, sessions, editions, answers."""

import json
import re
import unicodedata
from datetime import datetime
from functools import cache
from typing import Annotated, Any

from flask import Response, current_app, request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from chassis.auth.tokens import Identity, Verifier
from chassis.concurrency import Precondition
from chassis.errors import FieldError, Invalid, Unauthenticated
from chassis.idempotency.keys import IdempotencyKey, IdempotencyKeys

SESSION_COOKIE = "forum_session"
DEFAULT_LIMIT = 20
_ETAG = re.compile(r'"([1-9][0-9]{0,17})"')


class RequestBody(BaseModel):
    """A JSON body: no unknown field, no coercion."""

    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=False)


class PatchBody(RequestBody):
    """The JSON body of a PATCH: what it does not name stays as it is."""

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
        """Give the JSON schema; kept, since flask-openapi3 asks for it at every request."""
        if args or kwargs:
            return super().model_json_schema(*args, **kwargs)
        return cls._schema()


def _digits(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,9}", value):
        message = "must be a whole number"
        raise ValueError(message)
    return value


class PageParameters(QueryParameters):
    """A page of a list."""

    limit: Annotated[int, Field(ge=1, le=100), BeforeValidator(_digits)] = DEFAULT_LIMIT
    cursor: Annotated[str, Field(min_length=1, max_length=1024)] = Field(default_factory=str)


# What reorders or hides other text, or takes room without being seen. The joiners (U+200C and
# U+200D) are not here: scripts and emoji need them.
_INVISIBLE = frozenset("\u115f\u1160\u180e\u200b\u2028\u2029\u2060\u3164\ufeff\uffa0")
_INVISIBLE |= {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def _check_multi_line(value: str) -> str:
    plain = value.translate({ord(character): None for character in "\t\n\r"})
    if any(unicodedata.category(character) == "Cc" for character in plain):
        message = "must not contain control characters"
        raise ValueError(message)
    return value


def _check_single_line(value: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in value):
        message = "must not contain control characters"
        raise ValueError(message)
    if any(character in _INVISIBLE for character in value):
        message = "must not contain invisible characters"
        raise ValueError(message)
    if not any(unicodedata.category(character)[0] in "LNPS" for character in value):
        message = "must have something to see"
        raise ValueError(message)
    return value.strip()


MULTI_LINE = AfterValidator(_check_multi_line)
"""Text of many lines."""

SINGLE_LINE = AfterValidator(_check_single_line)
"""Text of one line that can be seen, trimmed."""


def set_session_cookie(answer: Response, token: str, expires_at: datetime) -> None:
    """Give the browser the session: not to scripts, not to other sites' forms."""
    answer.set_cookie(
        SESSION_COOKIE,
        token,
        expires=expires_at,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
        path="/",
    )


def clear_session_cookie(answer: Response) -> None:
    """Take the session from the browser."""
    answer.delete_cookie(
        SESSION_COOKIE, httponly=True, samesite="Lax", secure=request.is_secure, path="/"
    )


class Sessions:
    """Tells who is asking, from a Bearer token or else the session's cookie."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    def require(self) -> Identity:
        """Tell who is asking.

        Raises:
            Unauthenticated: nobody is signed in.
        """
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme:
            if scheme.lower() != "bearer":
                detail = "The Authorization header must carry a Bearer token."
                raise Unauthenticated(detail)
            return self._verifier.verify(token.strip())
        cookie = request.cookies.get(SESSION_COOKIE)
        if not cookie:
            detail = "Sign in first."
            raise Unauthenticated(detail)
        return self._verifier.verify(cookie)

    def from_token(self, token: str) -> Identity:
        """Tell whose a session is that was just opened."""
        return self._verifier.verify(token)

    def from_cookie(self) -> Identity | None:
        """Tell who looks at a page, from the cookie only; a session that ended is nobody's."""
        try:
            return self._verifier.verify(request.cookies.get(SESSION_COOKIE, ""))
        except Unauthenticated:
            return None


def read_idempotency_key(
    fingerprints: IdempotencyKeys, owner: str, payload: dict[str, Any]
) -> IdempotencyKey | None:
    """Take the request's Idempotency-Key, which is one of its owner; see `Fingerprints.key`."""
    return fingerprints.from_header(
        request.headers.get("Idempotency-Key"),
        owner=owner,
        path=request.path,
        payload=payload,
    )


def read_precondition() -> Precondition:
    """Read `If-Match`: which versions the caller means to replace.

    A weak or unknown tag matches nothing (RFC 9110 compares strongly here).
    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    # Not Werkzeug's parser, which takes tags without quotes and stumbles over empty ones.
    tags = (_ETAG.fullmatch(tag.strip()) for tag in header.split(","))
    return frozenset(int(tag[1]) for tag in tags if tag)


def changed_fields(body: BaseModel) -> dict[str, Any]:
    """Give the fields that a PATCH names.

    Raises:
        Invalid: it names none.
    """
    named = body.model_dump(exclude_unset=True)
    if not named:
        raise Invalid(FieldError("", "names nothing to change"))
    return named


def json_response(
    body: BaseModel | None,
    status: int = 200,
    *,
    version: int | None = None,
    location: str | None = None,
    private: bool = False,
) -> Response:
    """Make a JSON answer, with the ETag of the version that an edit would replace."""
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
    """Make a JSON answer that is the same for everybody, and may be kept for 5 minutes."""
    response = current_app.response_class(json.dumps(content), content_type="application/json")
    response.headers["Cache-Control"] = "public, max-age=300"
    return response
