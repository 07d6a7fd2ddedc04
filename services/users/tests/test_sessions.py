"""Opening sessions, and rate limits of attempts."""

import json
import statistics
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from chassis.auth.tokens import Verifier
from chassis.errors import RateLimited, Unauthenticated
from services.users.tests.conftest import PASSWORD
from tests.support.people import SESSION_COOKIE
from tests.support.service import RACERS, race
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


@pytest.fixture
def me(client):
    """Return the status of a request with a token."""

    def me(token):
        return client.get(f"{PATH}/me", headers={"Authorization": f"Bearer {token}"}).status_code

    return me


def change_password(client, token):
    return client.put(
        f"{PATH}/me/password",
        json={"current": PASSWORD, "new": "another horse"},
        headers={"Authorization": f"Bearer {token}"},
    )


def test_new_password_ends_all_sessions_and_continues_this_one(client, settings, ada, me):
    this, other = (attempt(client).json["token"] for _ in range(2))
    changed = change_password(client, this)
    new = changed.json["token"]
    assert [me(token) for token in (this, other, new)] == [401, 401, 200]
    assert f"{SESSION_COOKIE}={new};" in changed.headers["Set-Cookie"]
    verifier = Verifier(settings.session_public_keys, SessionClaims)
    before, after = verifier.verify(this), verifier.verify(new)
    assert after.session == before.session, "forms of open pages stay valid"
    assert (after.claims.ver, after.claims.sessions_valid_from) == (2, 2)
    opened = attempt(client, password="another horse").json["token"]
    assert [me(token) for token in (new, opened)] == [200, 200]


def test_signing_out_everywhere_ends_all_sessions(client, ada, me):
    tokens = [attempt(client).json["token"] for _ in range(2)]
    headers = {"Authorization": f"Bearer {tokens[0]}"}
    answer = client.delete(f"{PATH}/me/sessions", headers=headers)
    assert answer.status_code == 204
    assert f"{SESSION_COOKIE}=;" in answer.headers["Set-Cookie"]
    assert [me(token) for token in tokens] == [401, 401]
    assert client.delete(f"{PATH}/me/sessions", headers=headers).status_code == 401
    assert me(attempt(client).json["token"]) == 200


def test_session_opened_in_the_same_moment_as_the_end_is_told_apart(settings, ada):
    moment = datetime.now(UTC).replace(microsecond=0)
    service = UsersService(settings, clock=lambda: moment)
    client = service.create_app().test_client()
    before = attempt(client).json["token"]
    after = change_password(client, before).json["token"]
    paths = [
        client.get(f"{PATH}/me", headers={"Authorization": f"Bearer {token}"}).status_code
        for token in (before, after)
    ]
    assert paths == [401, 200]


def test_sign_in_that_began_before_a_new_password_opens_no_session(client, settings, ada, me):
    """The old password was right when it was checked, but not when the token was issued."""
    service = UsersService(settings)
    find = service.store.find

    def find_then_change(name):
        account = find(name)
        token = attempt(client).json["token"]
        assert change_password(client, token).status_code == 200
        return account

    service.store.find = find_then_change
    late = service.users.sign_in("ada", PASSWORD, "192.0.2.1")
    assert me(late.token) == 401


def test_ended_session_can_neither_change_nor_erase(client, ada):
    old = attempt(client).json["token"]
    change_password(client, old)
    headers = {"Authorization": f"Bearer {old}"}
    for answer in (
        client.patch(ada.path, json={"bio": "x"}, headers=headers),
        client.delete(ada.path, json={"password": "another horse"}, headers=headers),
        change_password(client, old),
    ):
        assert answer.status_code == 401
    assert client.get(ada.path).json["bio"] == ""


def test_one_of_fifty_new_passwords_wins(app, settings, ada):
    lenient = settings.model_copy(update={"sign_in_limit_per_name": RACERS})
    app = UsersService(lenient).create_app()
    token = attempt(app.test_client()).json["token"]
    answers = race(app, lambda racer, _: change_password(racer, token))
    outcomes = Counter(answer.status_code for answer in answers)
    assert outcomes[200] == 1
    assert set(outcomes) <= {200, 401, 503}, "503: the account stayed busy"


def test_password_is_limited_wherever_it_is_asked_for(settings, ada):
    strict = settings.model_copy(update={"sign_in_limit_per_name": 2})
    client = UsersService(strict).create_app().test_client()
    wrong = {"password": "wrong"}
    assert client.delete(ada.path, json=wrong, headers=ada.headers).status_code == 403
    new = {"current": "wrong", "new": "another horse"}
    assert client.put(f"{PATH}/me/password", json=new, headers=ada.headers).status_code == 403
    over = client.delete(ada.path, json={"password": PASSWORD}, headers=ada.headers)
    assert over.status_code == 429
    assert client.get(ada.path).status_code == 200


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
