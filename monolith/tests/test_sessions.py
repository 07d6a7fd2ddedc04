"""The end of all sessions of a person, while the forum owns users."""

from datetime import UTC, datetime

import pytest

from forum.app import create_app
from tests.support.people import SESSION_COOKIE

PATH = "/api/users"
PASSWORD = "correct horse"


@pytest.fixture
def request_with():
    """Return a function that sends a request with a token."""

    def request_with(client, token, method="GET", path=f"{PATH}/me", **more):
        headers = {"Authorization": f"Bearer {token}"}
        return client.open(path, method=method, headers=headers, **more)

    return request_with


def sign_in(client, username, password=PASSWORD):
    body = {"username": username, "password": password}
    return client.post(f"{PATH}/sessions", json=body).json["token"]


def test_new_password_ends_all_sessions_and_continues_this_one(client, ada, request_with):
    body = {"current": PASSWORD, "new": "another horse"}
    old = sign_in(client, ada.username)
    thread = client.post("/api/threads", json={"title": "T"}, headers=ada.headers).json["id"]
    changed = request_with(client, old, "PUT", f"{PATH}/me/password", json=body)
    new = changed.json["token"]
    assert f"{SESSION_COOKIE}={new};" in changed.headers["Set-Cookie"]
    attempts = (
        ("GET", f"{PATH}/me", {}),
        ("PATCH", f"{PATH}/{ada.id}", {"json": {"bio": "x"}}),
        ("PUT", f"{PATH}/me/password", {"json": body}),
        ("DELETE", f"{PATH}/me/sessions", {}),
        ("DELETE", f"{PATH}/{ada.id}", {"json": {"password": "another horse"}}),
        ("POST", "/api/threads", {"json": {"title": "T"}}),
        ("PATCH", f"/api/threads/{thread}", {"json": {"title": "T"}}),
        ("POST", "/api/posts", {"json": {"thread_id": thread, "body": "P"}}),
    )
    for token in (old, ada.token):
        for method, path, more in attempts:
            answer = request_with(client, token, method, path, **more)
            assert answer.status_code == 401, (method, path)
    for token in (new, sign_in(client, ada.username, "another horse")):
        assert request_with(client, token).status_code == 200


def test_session_opened_in_the_same_moment_as_the_end_is_told_apart(settings, ada, request_with):
    moment = datetime.now(UTC).replace(microsecond=0)
    app = create_app(settings, clock=lambda: moment)
    client = app.test_client()
    before = sign_in(client, ada.username)
    assert request_with(client, before, "DELETE", f"{PATH}/me/sessions").status_code == 204
    after = sign_in(client, ada.username)
    assert [request_with(client, token).status_code for token in (before, after)] == [401, 200]
    app.extensions["database"].engine.dispose()
