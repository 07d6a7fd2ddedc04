"""The HTTP client of the suite: records and checks every exchange."""

import json as jsons
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote

import requests

from infra.api_document import session_cookie
from tests.contract.support.checks import check
from tests.contract.support.forum import Forum
from tests.contract.support.transcript import HEADERS, Exchange, Transcript

TIMEOUT = 30
_OBJECT = dict[str, Any]


class Answer:
    """A response, with assertions."""

    def __init__(self, response: requests.Response) -> None:
        self.response = response
        self.status = response.status_code
        self.headers = response.headers
        self.content = response.content
        self.target = str(response.request.path_url)

    @property
    def body(self) -> Any:
        """The JSON body."""
        return self.response.json()

    @property
    def etag(self) -> str:
        """The ETag, which must exist."""
        return self.headers["ETag"]

    @property
    def problem_type(self) -> str | None:
        """The type of the problem, if the response is one."""
        problem = self.headers.get("Content-Type") == "application/problem+json"
        return str(self.body["type"]) if problem else None

    def expect(self, status: int = 200) -> Any:
        """Check that the request succeeded; return the body, None without one."""
        assert self.status == status, self._what()
        return self.body if self.content else None

    def expect_status(self, status: int) -> None:
        """Check the status only."""
        assert self.status == status, self._what()

    def refused(self, status: int, kind: str = "about:blank", *fields: str) -> _OBJECT:
        """Check that it was refused: with this type, and for these fields if any are named."""
        assert self.status == status, self._what()
        problem: _OBJECT = self.body
        assert problem["type"] == kind, self._what()
        if fields:
            assert {error["field"] for error in problem["errors"]} == set(fields), self._what()
        return problem

    def _what(self) -> str:
        asked = self.response.request
        return f"{asked.method} {self.target} {str(asked.body)[:200]} → {self.response.text[:500]}"


class Client:
    """A client at the gateway, anonymous or with a token."""

    def __init__(self, forum: Forum, transcript: Transcript, token: str | None = None) -> None:
        self.forum = forum
        self.transcript = transcript
        self.token = token
        self.http = requests.Session()
        self.http.trust_env = False
        # Cookies are sent on request only, and never stored.
        self.http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def cookie(self, token: str | None) -> dict[str, str]:
        """Return the header with which a browser sends a session."""
        return {"Cookie": f"{session_cookie(self.forum.url)}={token}"}

    def get(self, path: str, headers: Mapping[str, str] | None = None, **query: object) -> Answer:
        """Read."""
        return self.send("GET", path, query=query, headers=headers)

    def post(self, path: str, json: object, key: str | None = None) -> Answer:
        """Create, with an Idempotency-Key if one is given."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.send("POST", path, json=json, headers=headers)

    def put(self, path: str, json: object) -> Answer:
        """Replace."""
        return self.send("PUT", path, json=json)

    def patch(self, path: str, json: object, if_match: str | None = None) -> Answer:
        """Change, if the version is the one named."""
        return self.send("PATCH", path, json=json, headers=_if_match(if_match))

    def delete(self, path: str, json: object = None, if_match: str | None = None) -> Answer:
        """Delete, if the version is the one named."""
        return self.send("DELETE", path, json=json, headers=_if_match(if_match))

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        json: object = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send any request: a value as JSON, or bytes as they are."""
        target = path + "?" + _query(query) if query else path
        asked = dict(headers or {})
        sent = dict(asked)
        if json is not None:
            body = _encoded(json)
            sent.setdefault("Content-Type", "application/json")
        if self.token and "Authorization" not in sent:
            sent["Authorization"] = f"Bearer {self.token}"
        response = self.http.request(
            method,
            self.forum.url + target,
            data=body,
            headers=sent,
            timeout=TIMEOUT,
            allow_redirects=False,
        )
        self.note(response, target, asked, body or b"")
        return Answer(response)

    def note(
        self, response: requests.Response, target: str, asked: Mapping[str, str], body: bytes
    ) -> None:
        """Add an exchange to the transcript, after the checks of every response."""
        check(response, target, self.forum)
        answered = _parsed(response)
        self.transcript.add(
            Exchange(
                method=str(response.request.method),
                target=target,
                sent=body.decode("utf-8", "backslashreplace"),
                asked=asked,
                status=response.status_code,
                headers=_notable(response),
                body=answered,
            )
        )


def _notable(response: requests.Response) -> list[tuple[str, str]]:
    noted = [(name, response.headers[name]) for name in HEADERS if name in response.headers]
    if "Retry-After" in response.headers:
        noted.append(("Retry-After", "(some seconds)"))
    return [
        (name, ", ".join(sorted(value.split(", "))) if name == "Allow" else value)
        for name, value in noted
    ]


def _parsed(response: requests.Response) -> Any:
    if "json" in response.headers.get("Content-Type", "") and response.content:
        return response.json()
    return response.text


def _encoded(value: object) -> bytes:
    """Write JSON in UTF-8; a lone surrogate can only be escaped."""
    try:
        return jsons.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return jsons.dumps(value).encode()


def _query(query: Mapping[str, object]) -> str:
    return "&".join(f"{name}={quote(str(value), safe=',')}" for name, value in query.items())


def _if_match(tag: str | None) -> dict[str, str]:
    return {} if tag is None else {"If-Match": tag}
