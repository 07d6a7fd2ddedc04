"""Concurrent requests; the database resolves conflicts."""

from collections import Counter

from tests.support.etags import version_of
from tests.support.service import RACERS, race, walk


def test_one_of_fifty_registrations_of_a_name_wins(app, client):
    spellings = ["Grace", "GRACE", "grace", "ｇｒａｃｅ"]  # the last in full-width letters

    def attempt(racer, number):
        body = {"username": spellings[number % 4], "password": f"password {number}"}
        return racer.post("/api/users", json=body)

    answers = race(app, attempt)
    assert Counter(a.status_code for a in answers) == {201: 1, 409: RACERS - 1}
    assert {a.json["type"] for a in answers if a.status_code == 409} == {
        "urn:problem:username-taken"
    }
    assert len(walk(client, "/api/users")) == 1


def test_fifty_identical_registrations_create_one_user(app, client):
    body = {"username": "grace", "password": "correct horse"}
    headers = {"Idempotency-Key": "the-same"}
    answers = race(app, lambda racer, _: racer.post("/api/users", json=body, headers=headers))
    assert {a.status_code for a in answers} == {201}
    assert len({a.data for a in answers}) == 1
    assert len(walk(client, "/api/users")) == 1


def test_fifty_identical_posts_create_one_post(app, client, ada):
    thread = client.post("/api/threads", json={"title": "T"}, headers=ada.headers).json["id"]
    headers = ada.headers | {"Idempotency-Key": "the-same"}
    body = {"thread_id": thread, "body": "once"}
    answers = race(app, lambda racer, _: racer.post("/api/posts", json=body, headers=headers))
    assert {a.status_code for a in answers} == {201}
    assert len({a.data for a in answers}) == 1
    assert len(walk(client, f"/api/posts/in-thread/{thread}")) == 1
    assert client.get(f"/api/threads/{thread}").json["post_count"] == 1


def test_fifty_different_posts_are_all_counted(app, client, ada):
    thread = client.post("/api/threads", json={"title": "T"}, headers=ada.headers).json["id"]

    def write(racer, number):
        body = {"thread_id": thread, "body": f"post {number}"}
        return racer.post("/api/posts", json=body, headers=ada.headers)

    assert {a.status_code for a in race(app, write)} == {201}
    assert client.get(f"/api/threads/{thread}").json["post_count"] == RACERS


def test_one_of_fifty_edits_of_a_version_wins(app, client, ada):
    made = client.post("/api/threads", json={"title": "T"}, headers=ada.headers)
    headers = ada.headers | {"If-Match": made.headers["ETag"]}
    path = f"/api/threads/{made.json['id']}"
    answers = race(
        app, lambda racer, n: racer.patch(path, json={"title": f"title {n}"}, headers=headers)
    )
    assert Counter(a.status_code for a in answers) == {200: 1, 412: RACERS - 1}
    (winner,) = (a.json for a in answers if a.status_code == 200)
    assert client.get(path).json == winner


def test_fifty_changes_of_an_account_lose_none(app, client, ada):
    path = f"/api/users/{ada.id}"
    before = client.get(path, headers=ada.headers).headers["ETag"]

    def change(racer, number):
        return racer.patch(path, json={"bio": f"bio {number}"}, headers=ada.headers)

    answers = race(app, change)
    assert {a.status_code for a in answers} == {200}
    assert len({a.headers["ETag"] for a in answers}) == RACERS
    after = client.get(path, headers=ada.headers)
    assert version_of(after.headers["ETag"]) == version_of(before) + RACERS
    [last] = [a for a in answers if a.headers["ETag"] == after.headers["ETag"]]
    assert last.json["bio"] == after.json["bio"]


def test_deletion_and_replies_leave_no_reply_in_a_deleted_thread(app, client, ada, bob):
    thread = client.post("/api/threads", json={"title": "T"}, headers=ada.headers).json["id"]

    def act(racer, number):
        if number == RACERS // 2:
            return racer.delete(f"/api/threads/{thread}", headers=ada.headers)
        body = {"thread_id": thread, "body": f"post {number}"}
        return racer.post("/api/posts", json=body, headers=bob.headers)

    answers = race(app, act)
    deletion = answers.pop(RACERS // 2)
    written = sum(a.status_code == 201 for a in answers)
    if deletion.status_code == 204:
        assert written == 0
        assert client.get(f"/api/posts/in-thread/{thread}").status_code == 404
    else:
        assert deletion.json["type"] == "urn:problem:not-alone"
        assert client.get(f"/api/threads/{thread}").json["post_count"] == written
