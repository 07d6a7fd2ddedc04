"""Routing of paths in every spelling, and of the remains of an extracted domain."""

import http.client
import json
import os
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

import infra.tests
from infra import stages
from tests.contract.support.client import Client
from tests.contract.support.forum import Forum
from tests.contract.support.transcript import Exchange
from tests.contract.support.writing import NOWHERE

# Where a load balancer of AWS and Envoy differ, the difference is a gateway's and is not compared.
BEHIND_ALB = os.environ.get("FORUM_DEPLOYMENT") in {"deployed", "account"}
TABLE: list[dict[str, str]] = [
    entry
    for entry in tomllib.loads(
        (Path(str(infra.tests.__file__)).parent / "gateway/paths.toml").read_text(encoding="utf-8")
    )["path"]
    if not BEHIND_ALB or not {"alb", "forwarded"} & entry.keys()
    if not BEHIND_ALB or entry["owner"] != "gateway"
]
API = {
    "users": ("/api/users", f"/api/users/{NOWHERE}", "/api/users/jwks.json", "/api/users/me"),
    "threads": ("/api/threads", f"/api/threads/{NOWHERE}", "/api/threads/openapi.json"),
    "posts": ("/api/posts", f"/api/posts/by-user/{NOWHERE}", "/api/posts/openapi.json"),
}


def _ask(client: Client, target: str) -> tuple[int, str]:
    """Send a target unchanged; return the status and the component that served it."""
    address = urlsplit(client.forum.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
    connection.request("GET", target)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    kind = str(response.headers["Content-Type"])
    # Pages are compared elsewhere; lists hold what other tests made.
    body = json.loads(text) if "json" in kind else kind
    if isinstance(body, dict) and "items" in body:
        body = sorted(body)
    headers = [("Content-Type", kind)]
    client.transcript.add(Exchange("GET", target, "", {}, response.status, headers, body))
    return response.status, str(response.headers["X-Served-By"]).partition("/")[0]


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry["path"])
def test_path_is_served_by_its_owner(entry: dict[str, str], anyone: Client) -> None:
    status, component = _ask(anyone, entry["path"])
    owner = entry["owner"]
    if owner in stages.DOMAINS and owner not in anyone.forum.extracted:
        owner = stages.MONOLITH
    assert component == owner
    assert status < 500


def test_monolith_has_no_api_of_a_domain_that_moved_out(forum: Forum) -> None:
    monolith = forum.stack.urls[stages.MONOLITH]
    for domain, paths in API.items():
        for method in ("GET", "POST", "PATCH", "DELETE"):
            for path in paths if domain in forum.extracted else ():
                answer = requests.request(method, monolith + path, json={}, timeout=30)
                assert answer.status_code == 404, f"{method} {path}"
                assert answer.headers["Content-Type"] == "application/problem+json"
        status = requests.get(monolith + paths[0], timeout=30).status_code
        assert status == (404 if domain in forum.extracted else 200)


def test_service_serves_its_own_domain_only(forum: Forum) -> None:
    for service in stages.in_canonical_order(forum.extracted):
        for domain, paths in API.items():
            status = requests.get(forum.stack.urls[service] + paths[0], timeout=30).status_code
            assert status == (200 if domain == service else 404)
        assert requests.get(forum.stack.urls[service] + "/", timeout=30).status_code == 404


def test_every_component_reports_its_health(forum: Forum) -> None:
    for part, url in forum.stack.urls.items():
        alive = requests.get(f"{url}/healthz", timeout=30)
        assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
        ready = requests.get(f"{url}/readyz", timeout=30)
        assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
        assert ready.headers["X-Served-By"].startswith(f"{part}/")
