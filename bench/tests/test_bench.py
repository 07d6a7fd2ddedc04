"""The benchmarks end to end, on a small forum, with the same content on both sides."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from bench.comparison import compare
from bench.data.content import Content, Size
from bench.data.fill_sql import PASSWORD
from bench.scenarios import Scenario, Scenarios
from bench.side import MONOLITH, SPLIT, Side
from bench.wrk import Request
from infra import session_keys
from infra.api_document import session_cookie

Arena = tuple[tuple[Side, Side], Scenarios]
SMALL = Size(users=20, threads=60, posts=300, longest=100, pages=3)


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory, load_tool: str) -> Iterator[Arena]:
    """Provide both sides, filled, and their scenarios."""
    folder = tmp_path_factory.mktemp("bench")
    session_keys.ensure_keys(folder / "secrets")
    content = Content(SMALL)
    with (
        Side(MONOLITH, folder / MONOLITH, folder / "secrets", 1) as before,
        Side(SPLIT, folder / SPLIT, folder / "secrets", 1) as after,
    ):
        for side in (before, after):
            side.fill(content)
        yield (before, after), Scenarios(content, folder / "secrets")


def _get(side: Side, path: str) -> dict[str, Any]:
    answer = requests.get(side.url + path, timeout=10)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_both_sides_return_the_same_content(arena: Arena) -> None:
    sides, scenarios = arena
    content = scenarios.content
    for path in (
        scenarios.first(),
        scenarios.deepest(),
        "/api/threads?limit=100",
        "/api/threads?sort=newest&limit=100",
        "/api/posts?limit=100",
        "/api/users?limit=100",
        f"/api/threads/{content.longest.id}",
        f"/api/posts/by-user/{content.people[0].id}",
        f"/api/threads?q={content.longest.title.split()[0]}",
    ):
        before, after = (_get(side, path) for side in sides)
        assert before == after, path
        assert before.get("items", [1])
    assert _get(sides[0], scenarios.deepest())["next"] is None
    for side in sides:
        credentials = {"username": content.people[0].username, "password": PASSWORD}
        answer = requests.post(f"{side.url}/api/users/sessions", json=credentials, timeout=10)
        assert answer.status_code == 201, answer.text


def _send(side: Side, scenario: Scenario, one: Request) -> requests.Response:
    headers = {"Content-Type": "application/json"} if one.body else {}
    if one.token and not scenario.cookie:
        headers["Authorization"] = f"Bearer {one.token}"
    cookies = {session_cookie(side.url): one.token} if one.token and scenario.cookie else None
    url = side.url + one.path
    return requests.request(
        one.method, url, data=one.body, headers=headers, cookies=cookies, timeout=10
    )


def test_every_scenario_requests_existing_resources(arena: Arena) -> None:
    sides, scenarios = arena
    for scenario in scenarios.all():
        for side in sides:
            for one in scenario.requests[:3]:
                answer = _send(side, scenario, one)
                assert answer.ok, (scenario.name, side.name, answer.text)


def test_load_runs_on_both_sides_and_reports_cpu_cost(arena: Arena) -> None:
    sides, scenarios = arena
    lines: list[str] = []
    chosen = [one for one in scenarios.all() if one.name == "signed-in"]
    before, after = compare(sides, chosen, [2], seconds=1, rounds=1, log=lines.append)
    assert len(lines) == 1
    for one in (before, after):
        [load] = one.loads
        assert (load.broken, load.refused) == (0, 0)
        assert load.requests > 0
        assert one.cost["monolith"] > 0
    assert "posts" not in before.cost
    assert after.cost["posts"] > 0
    assert after.as_json()["cpu_ms"]["threads"] > 0
