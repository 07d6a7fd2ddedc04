"""Rate limits of sign-ins and registrations, on a forum with tight limits."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from infra import stages
from tests.support.harness import Stack

PER_NAME, PER_ADDRESS, WINDOW = 4, 40, 12  # the window in seconds
PASSWORD = "correct horse battery"


@pytest.fixture(params=[frozenset(), frozenset({"users"})], ids=stages.stage_name)
def users(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Run a stage that allows few sign-ins; yield the URL of its users API."""
    environment = {
        "SIGN_IN_LIMIT_PER_NAME": str(PER_NAME),
        "SIGN_IN_LIMIT_PER_ADDRESS": str(PER_ADDRESS),
        "SIGN_IN_WINDOW_SECONDS": str(WINDOW),
    }
    with Stack(request.param, tmp_path_factory.mktemp("tight"), environment) as stack:
        yield f"{stack.base_url}/api/users"


def _register(users: str, name: str) -> str:
    new = {"username": name, "password": PASSWORD}
    assert requests.post(users, json=new, timeout=30).status_code == 201
    return name


def _sign_in(users: str, name: str, password: str, **headers: str) -> requests.Response:
    credentials = {"username": name, "password": password}
    return requests.post(f"{users}/sessions", json=credentials, headers=headers, timeout=30)


def test_too_many_attempts_are_refused_for_a_while(users: str) -> None:
    ada, ben, eve = (_register(users, name) for name in ("ada", "ben", "eve"))
    # One window of time for all of it, from its beginning.
    time.sleep(WINDOW - time.time() % WINDOW + 0.05)

    # For a name:
    for _ in range(PER_NAME):
        assert _sign_in(users, ada, "wrong password").status_code == 401
    refused = _sign_in(users, ada.upper(), PASSWORD)
    assert refused.status_code == 429
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["status"] == 429
    wait = int(refused.headers["Retry-After"])
    assert 1 <= wait <= WINDOW + 1
    assert _sign_in(users, ben, PASSWORD).status_code == 201, "others are let in"
    unknown = [_sign_in(users, "nobody", "wrong password") for _ in range(PER_NAME + 1)]
    statuses = [answer.status_code for answer in unknown]
    assert statuses == [401] * PER_NAME + [429], "an unknown name is answered alike"
    assert unknown[-1].json() == refused.json()

    # For a name, all at once:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: _sign_in(users, eve, "wrong password"), range(20)))
    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [401] * PER_NAME + [429] * (20 - PER_NAME)

    # From an address, whatever it claims to be:
    left = PER_ADDRESS - 5 - 1 - 5 - 20
    statuses = []
    for number in range(left + 3):
        claim = f"10.0.0.{number}"
        answer = _sign_in(
            users, f"name-{number}", "wrong", **{"X-Forwarded-For": claim, "X-Real-Ip": claim}
        )
        statuses.append(answer.status_code)
    assert statuses == [401] * left + [429] * 3
    assert _sign_in(users, ben, PASSWORD).status_code == 429

    # Registrations are counted apart, for names that are taken, too:
    new = {"username": "ada", "password": PASSWORD}
    headers = {"X-Forwarded-For": "10.0.0.1"}
    statuses = [
        requests.post(users, json=new, headers=headers, timeout=30).status_code
        for _ in range(PER_ADDRESS + 2)
    ]
    assert statuses == [409] * PER_ADDRESS + [429] * 2

    # And only for a while:
    time.sleep(wait)
    assert _sign_in(users, ada, PASSWORD).status_code == 201
