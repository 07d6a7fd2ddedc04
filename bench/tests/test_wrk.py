"""The load tool: requests sent, and results reported."""

import json
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from bench import wrk
from bench.wrk import Request
from tests.support.servers import Server, reply


class Echo(Server):
    """Server that records its requests."""

    def __init__(self) -> None:
        super().__init__(self._note)
        self.asked: Counter[str] = Counter()
        self.sessions: set[str] = set()
        self.keys: list[str] = []

    def _note(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        self.asked[f"{request.command} {request.path} {body.decode()}"] += 1
        headers = request.headers
        self.sessions.add(headers.get("Authorization") or headers.get("Cookie") or "")
        if key := headers.get("Idempotency-Key"):
            self.keys.append(key)
        reply(request, 404 if request.path == "/nowhere" else 200, json.dumps({}).encode())


@pytest.fixture
def echo(load_tool: str) -> Iterator[Echo]:
    with Echo() as server:
        yield server


def test_every_request_of_a_list_is_sent_and_counted(echo: Echo) -> None:
    requests = [
        Request("/a"),
        Request("/nowhere"),
        Request("/api/posts", "POST", "token", '{"body": "x"}'),
    ]
    load = wrk.run(echo.url, requests, 2, 1)
    assert set(echo.asked) == {"GET /a ", "GET /nowhere ", 'POST /api/posts {"body": "x"}'}
    assert echo.sessions == {"", "Bearer token"}
    assert len(set(echo.keys)) == len(echo.keys) > 1
    assert load.requests > 3
    assert 0 < load.refused < load.requests
    assert load.broken == 0
    assert 0 < load.p50 <= load.p95 <= load.p99 <= load.longest
    assert load.rate < load.requests / load.seconds


def test_session_can_be_sent_as_a_cookie(echo: Echo) -> None:
    wrk.run(echo.url, [Request("/a", token="token")], 1, 1, cookie="a_session")
    assert echo.sessions == {"a_session=token"}


def test_missing_wrk_names_the_install_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(wrk.WrkError, match="apt install wrk"):
        wrk.ensure()
