"""Permissions of users, according to the database."""

from sqlalchemy import update

from forum.users.models import UserRow


def test_suspended_moderator_cannot_moderate(app, client, database, ada, bob):
    with database.writing() as session:
        session.execute(update(UserRow).values(role="moderator", suspended=True))
    for person in (ada, bob):
        body = {"suspended": False}
        answer = client.patch(f"/api/users/{person.id}", json=body, headers=ada.headers)
        assert answer.json["type"] == "urn:problem:suspended"
    body = {"title": "T"}
    answer = client.post("/api/threads", json=body, headers=ada.headers)
    assert answer.json["type"] == "urn:problem:suspended"


def test_username_of_any_length_can_be_tried(client):
    body = {"username": "\ufdfa" * 64, "password": "wrong password"}
    assert client.post("/api/users/sessions", json=body).status_code == 401
