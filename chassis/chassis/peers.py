"""HTTP calls to another component: bounded in time, its failures told as our own."""

from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from json import dumps
from types import TracebackType
from typing import Any, Self

import requests
from flask import g, has_request_context
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse
from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import ReadTimeoutError
from urllib3.util import Retry

from chassis import errors
from chassis.idempotency import IdempotencyKey
from chassis.versions import Precondition

CONNECT_TIMEOUT = 0.5  # seconds
READ_TIMEOUT = 4.0  # seconds
INNER_READ_TIMEOUT = 2.0  # seconds, of a call that is made while another peer waits


@dataclass(frozen=True)
class Reply:
    """A peer's answer to a request that succeeded; `body` is None where it has none."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def version(self) -> int:
        """The version in the ETag.

        Raises:
            ValueError: the answer carries none.
        """
        return int(self.headers.get("ETag", "").strip('"'))


class _Once(Retry):
    """Repeats what broke off (an idle connection that the peer just closed), not what was slow."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        """Count one failure, and give up if it was a slow answer."""
        if isinstance(error, ReadTimeoutError):
            raise error
        return super().increment(method, url, response, error, _pool, _stacktrace)


class Peer:
    """Another component, by the name it has for people and the URL it has for machines."""

    def __init__(
        self, name: str, url: str, *, connections: int = 32, read_timeout: float | None = None
    ) -> None:
        self.name = name
        self._url = url.rstrip("/")
        self._timeout = (CONNECT_TIMEOUT, read_timeout or READ_TIMEOUT)
        self._http = requests.Session()
        # Neither a proxy nor a .netrc of the environment has a say between components, and a
        # cookie that one person gets must not go out with the next person's call.
        self._http.trust_env = False
        self._http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        retries = _Once(
            total=1,
            connect=1,
            read=1,
            status=0,
            other=0,
            redirect=0,
            # A 429 with Retry-After is the caller's to know, not something to sleep over here.
            respect_retry_after_header=False,
            allowed_methods={"GET"},
            backoff_factor=0.05,
        )
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=connections, max_retries=retries)
        self._http.mount("http://", adapter)
        self._http.mount("https://", adapter)

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Mapping[str, Any] | None = None,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Make one call.

        Raises:
            Failure: what the peer refused, as it would be raised here.
            Unavailable: the peer does not answer in time or not as agreed.
        """
        sent = dict(headers or {})
        data = None
        if json is not None:
            # Not requests' own: its escapes could triple a text and take it over the limit.
            data = dumps(json, ensure_ascii=False).encode()
            sent["Content-Type"] = "application/json"
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if has_request_context() and "request_id" in g:
            sent["X-Request-Id"] = g.request_id
        try:
            response = self._http.request(
                method,
                self._url + path,
                params=params,
                data=data,
                headers=sent,
                timeout=self._timeout,
                allow_redirects=False,
            )
            body = response.json() if response.content else None
        except (requests.RequestException, ValueError, RecursionError) as error:
            raise self._unavailable() from error
        if 200 <= response.status_code < 300:
            return Reply(response.status_code, body, response.headers)
        raise self._failure(response, body)

    def _unavailable(self) -> errors.Unavailable:
        return errors.Unavailable(f"The part that keeps {self.name} does not answer right now.")

    def _failure(self, response: requests.Response, body: Any) -> errors.Failure:
        if not isinstance(body, dict) or response.status_code >= 500:
            return self._unavailable()
        detail = str(body.get("detail", ""))
        kind = str(body.get("type", "about:blank"))
        match response.status_code:
            case 400:
                return errors.Invalid(*_fields(body.get("errors")), detail=detail)
            case 401:
                return errors.Unauthenticated(detail, kind=kind)
            case 403:
                return errors.Forbidden(detail, kind=kind)
            case 404:
                return errors.NotFound(detail, kind=kind)
            case 409:
                return errors.Conflict(detail, kind=kind)
            case 412:
                return errors.Stale(detail)
            case 422:
                return errors.KeyReused()
            case 429:
                after = response.headers.get("Retry-After", "60")
                return errors.TooMany(detail, retry_after=int(after) if after.isdigit() else 60)
        return self._unavailable()


def _fields(entries: Any) -> list[errors.FieldError]:
    """Read the fields that a peer names, as far as they come as agreed."""
    return [
        errors.FieldError(str(entry.get("field", "")), str(entry.get("message", "")))
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict)
    ]


def once(key: IdempotencyKey | None) -> dict[str, str]:
    """Give the header that makes a POST safe to repeat."""
    return {"Idempotency-Key": key.key} if key else {}


def editing(expected: Precondition) -> dict[str, str]:
    """Give the header that names the versions which an edit may replace."""
    if expected is None:
        return {}
    return {"If-Match": ", ".join(f'"{version}"' for version in sorted(expected)) or '""'}
