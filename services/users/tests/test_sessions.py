"""Opening sessions, and rate limits of attempts."""

import json
import statistics
import time
from datetime import UTC, datetime, timedelta

import pytest

from chassis.auth.tokens import Verifier
from chassis.errors import RateLimited, Unauthenticated
from services.users.tests.conftest import PASSWORD
from users.bootstrap import UsersService
from users.model import SessionClaims

PATH = "/api/users"
SESSIONS = f"{PATH}/sessions"


def attempt(client, username="ada", password=PASSWORD, address="192.0.2.1"):
    return client.post(
        SESSIONS,
        json={"username": username, "password": password},
        headers={"X-Forwarded-For": address},
    )


@pytest.mark.parametrize("username", ["ada", "ADA", "ａｄａ"])
def test_session_opens_with_any_spelling_of_the_name(client, settings, ada, username):
    opened = attempt(client, username)
    assert opened.status_code == 201
    assert opened.headers["Cache-Control"] == "no-store"
    assert opened.json["user"] == client.get(ada.path).json
    identity = Verifier(settings.session_public_keys, SessionClaims).verify(opened.json["token"])
    assert identity.subject == ada.id
    assert identity.claims == SessionClaims("ada", "Ada", "member", suspended=False, ver=1)
    ends = datetime.fromisoformat(opened.json["expires_at"])
    assert timedelta(hours=11, minutes=59) < ends - datetime.now(UTC) <= timedelta(hours=12)


def test_cookie_carries_the_session_until_sign_out(app, ada):
    browser = app.test_client()
    assert browser.get(f"{PATH}/me").status_code == 401
    [cookie] = attempt(browser).headers.getlist("Set-Cookie")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert browser.get(f"{PATH}/me").json["id"] == ada.id
    assert browser.delete(SESSIONS).status_code == 204
    assert browser.get(f"{PATH}/me").status_code == 401


def test_cookie_is_secure_over_https(client, ada):
    answer = client.post(
        SESSIONS,
        json={"username": "ada", "password": PASSWORD},
        headers={"X-Forwarded-Proto": "https"},
    )
    assert "Secure" in answer.headers["Set-Cookie"]


def test_wrong_password_and_unknown_name_get_the_same_response(client, ada):
    wrong = attempt(client, "ada", "not the password")
    unknown = attempt(client, "nobody", "not the password")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json == unknown.json
    assert wrong.json["type"] == "urn:problem:wrong-credentials"
    assert set(wrong.headers.keys()) == set(unknown.headers.keys())


def test_unknown_name_takes_as_long_as_a_wrong_password(settings, ada):
    lenient = settings.model_copy(update={"sign_in_limit_per_name": 100})
    client = UsersService(lenient).create_app().test_client()

    took = {"ada": [], "nobody": []}
    for username in ["ada", "nobody"] * 9:
        start = time.perf_counter()
        assert attempt(client, username, "wrong").status_code == 401
        took[username].append(time.perf_counter() - start)
    wrong, unknown = (statistics.median(seconds) for seconds in took.values())
    # Without a hash to verify it would be a twentieth.
    assert wrong / 3 < unknown < wrong * 3


@pytest.mark.parametrize(
    "username",
    ["x" * 64, " ", "\U0001f600" * 64, "a\u0345" * 32, "\ufdfa" * 64],
    ids=["long", "blank", "wide", "growing by case", "growing by form"],
)
def test_impossible_name_is_treated_as_unknown(client, username):
    assert attempt(client, username).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"username": "ada"},
        {"username": "", "password": PASSWORD},
        {"username": "x" * 65, "password": PASSWORD},
        {"username": "ada", "password": "x" * 129},
        {"username": "ada\0", "password": PASSWORD},
        {"username": "ada", "password": PASSWORD, "remember": True},
    ],
)
def test_invalid_credentials_are_refused(client, body):
    assert client.post(SESSIONS, json=body).status_code == 400


def test_attempts_are_limited_by_name(settings, ada):
    strict = settings.model_copy(update={"sign_in_limit_per_name": 3})
    client = UsersService(strict).create_app().test_client()
    for _ in range(3):
        assert attempt(client, "Ada", "wrong").status_code == 401
    over = attempt(client, "ada", PASSWORD)
    assert over.status_code == 429
    assert 0 < int(over.headers["Retry-After"]) <= 301
    assert attempt(client, "bob").status_code == 401, "another name from the same address"
    assert attempt(client, address="192.0.2.2").status_code == 201, "the name from elsewhere"


def test_attempts_are_limited_by_address(settings, ada):
    strict = settings.model_copy(update={"sign_in_limit_per_address": 3})
    client = UsersService(strict).create_app().test_client()
    for number in range(3):
        assert attempt(client, f"name-{number}").status_code == 401
    assert attempt(client).status_code == 429
    assert attempt(client, address="192.0.2.2").status_code == 201


def test_new_window_allows_sign_in_again(settings, ada):
    now = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
    strict = settings.model_copy(update={"sign_in_limit_per_name": 1})
    users = UsersService(strict, clock=lambda: now).users
    with pytest.raises(Unauthenticated):
        users.sign_in("ada", "wrong", "192.0.2.1")
    with pytest.raises(RateLimited) as refused:
        users.sign_in("ada", PASSWORD, "192.0.2.1")
    now += timedelta(seconds=refused.value.retry_after)
    assert users.sign_in("ada", PASSWORD, "192.0.2.1").user.id == ada.id


def test_public_keys_are_readable_by_anyone(client, settings):
    answer = client.get(f"{PATH}/jwks.json")
    assert answer.json == json.loads(settings.session_public_keys)
    assert all("d" not in key for key in answer.json["keys"])
