"""HTTP calls to another component: bounded in time, its failures told as our own."""

from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from flask import g, has_request_context
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from chassis import errors

CONNECT_TIMEOUT = 0.5  # seconds
READ_TIMEOUT = 4.0  # seconds


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


class Peer:
    """Another component, by the name it has for people and the URL it has for machines."""

    def __init__(self, name: str, url: str, *, connections: int = 32) -> None:
        self.name = name
        self._url = url.rstrip("/")
        self._http = requests.Session()
        # Neither a proxy nor a .netrc of the environment has a say between components, and a
        # cookie that one person gets must not go out with the next person's call.
        self._http.trust_env = False
        self._http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        once = Retry(
            total=1,
            connect=1,
            read=1,
            status=0,
            other=0,
            redirect=0,
            allowed_methods={"GET"},
            backoff_factor=0.05,
        )
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=connections, max_retries=once)
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
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if has_request_context() and "request_id" in g:
            sent["X-Request-Id"] = g.request_id
        try:
            response = self._http.request(
                method,
                self._url + path,
                params=params,
                json=json,
                headers=sent,
                timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
                allow_redirects=False,
            )
            body = response.json() if response.content else None
        except (requests.RequestException, ValueError) as error:
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
                fields = (
                    errors.FieldError(str(entry.get("field")), str(entry.get("message")))
                    for entry in body.get("errors", [])
                )
                return errors.Invalid(*fields, detail=detail)
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
