"""Events of the monolith: according to the services' schemas; none without services."""

import pytest
from sqlalchemy import select

from chassis.messaging.events import parse_event
from forum.app import create_app
from forum.outbox import OutboxRow
from tests.support.schemas import validate


@pytest.fixture
def recorded(database):
    def recorded():
        with database.reading() as session:
            rows = session.scalars(select(OutboxRow.event).order_by(OutboxRow.id))
            return [parse_event(text) for text in rows]

    return recorded


@pytest.fixture
def at(make_settings):
    apps = []

    def at(stage, **others):
        apps.append(create_app(make_settings(extracted=stage, **others)))
        return apps[-1].test_client(use_cookies=False)

    yield at
    for app in apps:
        app.extensions["database"].engine.dispose()


def test_events_of_threads_and_posts_match_their_schemas(at, sign_in, recorded):
    client = at("users", session_private_key="")
    ada, moderator = sign_in("Ada"), sign_in("Mo", role="moderator")
    thread = _made(client, ada, "/api/threads", {"title": "Tale"})
    post = _made(client, ada, "/api/posts", {"thread_id": thread["id"], "body": "*One*"})
    path = f"/api/posts/{post['id']}"
    assert client.patch(path, json={"body": "Two"}, headers=ada.headers).status_code == 200
    assert client.delete(path, headers=ada.headers).status_code == 204
    assert client.delete(path, headers=ada.headers).status_code == 204
    path = f"/api/threads/{thread['id']}"
    change = {"title": "Other", "locked": True}
    assert client.patch(path, json=change, headers=moderator.headers).status_code == 200
    assert client.delete(path, headers=moderator.headers).status_code == 204
    events = recorded()
    for event in events:
        validate(event)
    started = {"author_id": ada.id, "created_at": thread["created_at"]}
    written = started | {"created_at": post["created_at"], "thread_id": thread["id"]}
    published = [(event.type, event.subject, event.version, event.data) for event in events]
    edited = published[2][3]["edited_at"]
    assert edited
    now = {"edited_at": None, "deleted": False}
    gone = {"body": "", "edited_at": None, "deleted": True}
    assert published == [
        ("thread.created", thread["id"], 1, started | {"title": "Tale", "locked": False}),
        ("post.created", post["id"], 1, written | now | {"body": "*One*"}),
        ("post.updated", post["id"], 2, written | now | {"body": "Two", "edited_at": edited}),
        ("post.deleted", post["id"], 3, written | gone),
        ("thread.updated", thread["id"], 2, started | {"title": "Other", "locked": True}),
        ("thread.deleted", thread["id"], 3, started),
    ]


def test_events_of_users_match_their_schemas(at, recorded):
    client = at("posts")
    body = {"username": "ada", "password": "correct horse"}
    person = client.post("/api/users", json=body).json
    token = client.post("/api/users/sessions", json=body).json["token"]
    headers = {"Authorization": f"Bearer {token}"}
    path = f"/api/users/{person['id']}"
    assert client.patch(path, json={"bio": "B"}, headers=headers).status_code == 200
    assert (
        client.delete(path, json={"password": body["password"]}, headers=headers).status_code == 202
    )
    for event in recorded():
        validate(event)
    published = [(event.type, event.version) for event in recorded()]
    assert published == [("user.registered", 1), ("user.updated", 2), ("user.erased", 3)]


def test_refused_or_repeated_write_publishes_nothing(at, sign_in, recorded):
    client, ada, bob = at("users", session_private_key=""), sign_in("Ada"), sign_in("Bob")
    headers = ada.headers | {"Idempotency-Key": "k"}
    for _ in range(2):
        thread = client.post("/api/threads", json={"title": "T"}, headers=headers).json
    path = f"/api/threads/{thread['id']}"
    assert client.patch(path, json={"title": "X"}, headers=bob.headers).status_code == 403
    stale = ada.headers | {"If-Match": '"7"'}
    assert client.patch(path, json={"title": "X"}, headers=stale).status_code == 412
    assert [event.type for event in recorded()] == ["thread.created"]


def test_nothing_is_recorded_by_the_monolith_alone(at, recorded):
    client = at("")
    body = {"username": "ada", "password": "correct horse"}
    assert client.post("/api/users", json=body).status_code == 201
    token = client.post("/api/users/sessions", json=body).json["token"]
    headers = {"Authorization": f"Bearer {token}"}
    thread = client.post("/api/threads", json={"title": "T"}, headers=headers).json["id"]
    body = {"thread_id": thread, "body": "B"}
    assert client.post("/api/posts", json=body, headers=headers).status_code == 201
    assert client.delete(f"/api/threads/{thread}", headers=headers).status_code == 204
    assert recorded() == []


def _made(client, person, path, body):
    made = client.post(path, json=body, headers=person.headers)
    assert made.status_code == 201, made.json
    return made.json
