"""How many sign-ins are let through, on a forum with tight limits."""

import itertools
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from infra import stages
from tests.harness import Stack

PER_NAME, PER_ADDRESS, WINDOW = 4, 12, 8  # the window in seconds
PASSWORD = "correct horse battery"
_numbers = itertools.count()


@pytest.fixture(scope="module", params=[frozenset(), frozenset({"users"})], ids=stages.folder)
def tight(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Run a stage that lets few sign-ins through; gives the address of its sessions."""
    environment = {
        "SIGN_IN_LIMIT_PER_NAME": str(PER_NAME),
        "SIGN_IN_LIMIT_PER_ADDRESS": str(PER_ADDRESS),
        "SIGN_IN_WINDOW_SECONDS": str(WINDOW),
    }
    with Stack(request.param, tmp_path_factory.mktemp("tight"), environment) as stack:
        yield f"{stack.base_url}/api/users"


@pytest.fixture
def users(tight: str) -> str:
    """Wait for a window of time to begin, so that nothing of an earlier test counts."""
    time.sleep(WINDOW - time.time() % WINDOW + 0.05)
    return tight


def _register(users: str) -> str:
    name = f"limited-{next(_numbers)}"
    new = {"username": name, "password": PASSWORD}
    assert requests.post(users, json=new, timeout=30).status_code == 201
    return name


def _sign_in(users: str, name: str, password: str, **headers: str) -> requests.Response:
    credentials = {"username": name, "password": password}
    return requests.post(f"{users}/sessions", json=credentials, headers=headers, timeout=30)


def test_too_many_attempts_for_a_name_are_refused_for_a_while(users: str) -> None:
    name, other = _register(users), _register(users)
    for _ in range(PER_NAME):
        assert _sign_in(users, name, "wrong password").status_code == 401
    refused = _sign_in(users, name.upper(), PASSWORD)
    assert refused.status_code == 429
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["status"] == 429
    wait = int(refused.headers["Retry-After"])
    assert 1 <= wait <= WINDOW + 1
    assert _sign_in(users, other, PASSWORD).status_code == 201, "others are let in"
    unknown = [_sign_in(users, "nobody", "wrong password") for _ in range(PER_NAME + 1)]
    statuses = [answer.status_code for answer in unknown]
    assert statuses == [401] * PER_NAME + [429], "an unknown name is answered alike"
    assert unknown[-1].json() == refused.json()
    time.sleep(wait)
    assert _sign_in(users, name, PASSWORD).status_code == 201


def test_too_many_attempts_from_an_address_are_refused_whatever_it_claims_to_be(
    users: str,
) -> None:
    claims = ({"X-Forwarded-For": f"10.0.0.{n}", "X-Real-Ip": f"10.0.0.{n}"} for n in range(99))
    statuses = [
        _sign_in(users, f"name-{number}", "wrong password", **next(claims)).status_code
        for number in range(PER_ADDRESS + 3)
    ]
    assert statuses == [401] * PER_ADDRESS + [429] * 3


def test_fifty_attempts_at_once_are_counted_each(users: str) -> None:
    name = _register(users)
    with ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(lambda _: _sign_in(users, name, "wrong password"), range(50)))
    statuses = [answer.status_code for answer in answers]
    # A window may end meanwhile, and then as many again are let through.
    windows = math.ceil(statuses.count(401) / PER_NAME)
    assert windows <= 2
    assert set(statuses) == {401, 429}
