"""Operations on posts."""

from datetime import datetime

import pytest

from chassis.clock import uuid7
from posts.bootstrap import PostsService
from tests.support.etags import version_of
from tests.support.event_factory import thread_event
from tests.support.service import walk

PATH = "/api/posts"
# Unknown ids, the same in each of pytest-xdist's workers.
NOBODY = "01900000-0000-7000-8000-000000000000"


def test_new_post_is_returned_and_readable_by_anyone(client, ada, thread):
    new = {"thread_id": thread, "body": " Hello, **world** \n"}
    made = client.post(PATH, json=new, headers=ada.headers)
    assert made.status_code == 201
    assert version_of(made.headers["ETag"]) == 1
    assert made.headers["Location"] == f"{PATH}/{made.json['id']}"
    assert made.json == {
        "id": made.json["id"],
        "thread_id": thread,
        "author": {"id": ada.id, "display_name": "Ada"},
        "body": " Hello, **world** \n",
        "html": "<p>Hello, <strong>world</strong></p>\n",
        "created_at": made.json["created_at"],
        "edited_at": None,
        "deleted": False,
    }
    read = client.get(made.headers["Location"])
    assert read.status_code == 200
    assert read.json == made.json
    assert version_of(read.headers["ETag"]) == 1
    assert read.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"body": ""}, "body"),
        ({"body": " \n\u2003\t"}, "body"),
        ({"body": "x" * 16_001}, "body"),
        ({"body": "nul\0"}, "body"),
        ({"body": "\ud800"}, "body"),
        ({"body": 1}, "body"),
        ({"body": None}, "body"),
        ({"thread_id": ""}, "thread_id"),
        ({"thread_id": "../users"}, "thread_id"),
        ({"thread_id": "x" * 65}, "thread_id"),
        ({"thread_id": "x\n"}, "thread_id"),
        ({"thread_id": 1}, "thread_id"),
        ({"html": "<b>x</b>"}, "html"),
    ],
)
def test_invalid_post_is_refused_and_changes_nothing(client, ada, threads, thread, change, field):
    new = {"thread_id": thread, "body": "Hello"} | change
    answer = client.post(PATH, json=new, headers=ada.headers)
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert threads.asked == []
    assert client.get(PATH).json["items"] == []


@pytest.mark.parametrize("body", ["𝕏" * 16_000, "\n" * 15_999 + "x", "&" * 16_000, "[](a)" * 3200])
def test_longest_post_is_kept_whole(client, ada, thread, body):
    data = f'{{"thread_id": "{thread}", "body": "{body}"}}'.replace("\n", "\\n").encode()
    headers = ada.headers | {"Idempotency-Key": "long"}
    made = client.post(PATH, data=data, headers=headers, content_type="application/json")
    assert made.status_code == 201
    assert client.get(made.headers["Location"]).json["body"] == body
    again = client.post(PATH, data=data, headers=headers, content_type="application/json")
    assert again.json == made.json


def test_writing_takes_a_session(client, write, thread):
    path = f"{PATH}/{write()}"
    for answer in (
        client.post(PATH, json={"thread_id": thread, "body": "No"}),
        client.patch(path, json={"body": "No"}),
        client.delete(path),
    ):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert client.get(path).json["body"] == "Hello"


def test_post_in_an_unknown_thread_is_404(client, ada, threads, thread):
    threads.delete(thread)
    for thread_id in (thread, uuid7(), "x"):
        new = {"thread_id": thread_id, "body": "Hello"}
        answer = client.post(PATH, json=new, headers=ada.headers)
        assert answer.status_code == 404
        assert answer.json["detail"] == "Thread not found."
    assert client.get(PATH).json["items"] == []


def test_post_in_a_locked_thread_is_409(client, ada, moderator, threads, thread):
    threads.lock(thread)
    for person in (ada, moderator):
        new = {"thread_id": thread, "body": "Hello"}
        answer = client.post(PATH, json=new, headers=person.headers)
        assert answer.status_code == 409
        assert answer.json["type"] == "urn:problem:thread-locked"
    assert client.get(PATH).json["items"] == []


def test_post_in_an_unknown_thread_is_503_without_threads(client, ada, threads, thread):
    threads.stop()
    new = {"thread_id": thread, "body": "Hello"}
    answer = client.post(PATH, json=new, headers=ada.headers | {"Idempotency-Key": "k"})
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert client.get(PATH).json["items"] == []


@pytest.mark.parametrize(
    "odd",
    [
        b"[]",
        b"{}",
        b"<html>",
        b'{"title": "T"}',
        b'{"title": "T", "locked": "no"}',
        b'{"title": "T", "locked": null}',
        b'{"title": null, "locked": false}',
        b'{"locked": false}',
    ],
)
def test_invalid_response_of_threads_is_503(client, ada, threads, thread, odd):
    threads.odd = odd
    new = {"thread_id": thread, "body": "Hello"}
    assert client.post(PATH, json=new, headers=ada.headers).status_code == 503
    assert client.get(PATH).json["items"] == []


@pytest.mark.parametrize("headers", [(), (("ETag", "x"),), (("ETag", ""),)])
def test_response_of_threads_without_a_version_is_503(client, ada, threads, thread, headers):
    threads.odd, threads.odd_headers = b'{"title": "T", "locked": false}', headers
    new = {"thread_id": thread, "body": "Hello"}
    assert client.post(PATH, json=new, headers=ada.headers).status_code == 503
    assert client.get(PATH).json["items"] == []


def test_repeated_request_gets_the_first_response_despite_a_lock(
    client, ada, threads, thread, tell
):
    headers = ada.headers | {"Idempotency-Key": "k1"}
    new = {"thread_id": thread, "body": "Hello"}
    made = client.post(PATH, json=new, headers=headers)
    threads.lock(thread)
    replays = [client.post(PATH, json=new, headers=headers)]
    threads.stop()
    replays.append(client.post(PATH, json=new, headers=headers))
    tell(thread_event(thread, 2, locked=True))
    replays.append(client.post(PATH, json=new, headers=headers))
    assert client.post(PATH, json=new, headers=ada.headers).status_code == 409
    for replay in replays:
        assert (replay.status_code, replay.data) == (201, made.data)
        assert replay.headers["ETag"] == made.headers["ETag"]
        assert replay.headers["Location"] == made.headers["Location"]
    assert len(threads.asked) == 1
    assert len(client.get(PATH).json["items"]) == 1


def test_key_belongs_to_one_user_and_request(client, ada, bob, thread):
    new = {"thread_id": thread, "body": "Hello"}
    key = {"Idempotency-Key": "k1"}
    made = client.post(PATH, json=new, headers=ada.headers | key)
    other = client.post(PATH, json=new | {"body": "Other"}, headers=ada.headers | key)
    assert other.status_code == 422
    assert other.json["type"] == "urn:problem:idempotency-key-reused"
    bobs = client.post(PATH, json=new, headers=bob.headers | key)
    assert bobs.status_code == 201
    assert bobs.json["id"] != made.json["id"]
    odd = client.post(PATH, json=new, headers=ada.headers | {"Idempotency-Key": "a b"})
    assert odd.status_code == 400


def test_refused_request_leaves_its_key_unused(client, ada, threads, thread, tell):
    threads.lock(thread)
    headers = ada.headers | {"Idempotency-Key": "k1"}
    new = {"thread_id": thread, "body": "Hello"}
    assert client.post(PATH, json=new, headers=headers).status_code == 409
    tell(thread_event(thread, 3, locked=False))
    assert client.post(PATH, json=new, headers=headers).status_code == 201


def test_author_edits_a_post(client, ada, write):
    path = f"{PATH}/{write('Helo')}"
    before = client.get(path).json
    changed = client.patch(path, json={"body": "Hello, *you*"}, headers=ada.headers)
    assert changed.status_code == 200
    assert version_of(changed.headers["ETag"]) == 2
    assert changed.json == before | {
        "body": "Hello, *you*",
        "html": "<p>Hello, <em>you</em></p>\n",
        "edited_at": changed.json["edited_at"],
    }
    edited, created = (
        datetime.fromisoformat(changed.json[f"{x}_at"]) for x in ("edited", "created")
    )
    assert edited >= created
    read = client.get(path)
    assert (read.json, version_of(read.headers["ETag"])) == (changed.json, 2)


def test_post_in_a_locked_thread_can_be_edited_and_deleted(client, ada, threads, thread, write):
    path = f"{PATH}/{write()}"
    threads.stop()
    assert client.patch(path, json={"body": "Better"}, headers=ada.headers).status_code == 200
    assert client.delete(path, headers=ada.headers).status_code == 204


def test_only_the_author_can_edit_a_post(client, bob, moderator, write):
    path = f"{PATH}/{write()}"
    for person in (bob, moderator):
        answer = client.patch(path, json={"body": "I am a fool"}, headers=person.headers)
        assert answer.status_code == 403
    assert client.get(path).json["body"] == "Hello"


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"body": None},
        {"body": ""},
        {"body": " "},
        {"body": "x", "deleted": True},
        {"html": "x"},
    ],
)
def test_invalid_change_is_refused(client, ada, write, change):
    path = f"{PATH}/{write()}"
    assert client.patch(path, json=change, headers=ada.headers).status_code == 400
    read = client.get(path)
    assert (read.json["body"], version_of(read.headers["ETag"])) == ("Hello", 1)


@pytest.mark.parametrize("by", ["ada", "moderator"])
def test_deleted_post_stays_in_the_thread_without_its_text(
    request, client, ada, bob, thread, write, by
):
    first, second, third = write("One"), write("Two"), write("Three", bob)
    client.patch(f"{PATH}/{second}", json={"body": "Secret"}, headers=ada.headers)
    before = client.get(f"{PATH}/{second}").json
    gone = client.delete(f"{PATH}/{second}", headers=request.getfixturevalue(by).headers)
    assert (gone.status_code, gone.data) == (204, b"")
    left = client.get(f"{PATH}/{second}")
    empty = {"body": "", "html": "", "edited_at": None, "deleted": True}
    assert left.json == before | empty
    assert version_of(left.headers["ETag"]) == 3
    listed = walk(client, f"{PATH}/in-thread/{thread}")
    assert [post["id"] for post in listed] == [first, second, third]
    assert listed[1] == left.json


def test_deleted_post_leaves_the_other_lists(client, ada, write):
    kept, gone = write("Kept"), write("Gone")
    client.delete(f"{PATH}/{gone}", headers=ada.headers)
    for path in (PATH, f"{PATH}/by-user/{ada.id}"):
        assert [post["id"] for post in walk(client, path)] == [kept]


def test_deleting_twice_changes_nothing_more(client, ada, write):
    path = f"{PATH}/{write()}"
    for headers in ({}, {}, {"If-Match": '"1"'}):
        assert client.delete(path, headers=ada.headers | headers).status_code == 204
    assert version_of(client.get(path).headers["ETag"]) == 2


def test_deleted_post_cannot_be_edited(client, ada, write):
    path = f"{PATH}/{write()}"
    client.delete(path, headers=ada.headers)
    answer = client.patch(path, json={"body": "Back"}, headers=ada.headers)
    assert answer.status_code == 409
    assert answer.json["type"] == "urn:problem:post-deleted"
    assert client.get(path).json["deleted"]


def test_member_cannot_delete_a_post_of_another(client, ada, bob, write):
    path = f"{PATH}/{write()}"
    assert client.delete(path, headers=bob.headers).status_code == 403
    assert not client.get(path).json["deleted"]
    client.delete(path, headers=ada.headers)
    assert client.delete(path, headers=bob.headers).status_code == 403


def test_outdated_edit_is_refused(client, ada, write):
    path = f"{PATH}/{write()}"
    client.patch(path, json={"body": "Second"}, headers=ada.headers)
    for tag in ('"1"', 'W/"2"', "2", '"x"', '"1", "3"'):
        headers = ada.headers | {"If-Match": tag}
        for answer in (
            client.patch(path, json={"body": "Third"}, headers=headers),
            client.delete(path, headers=headers),
        ):
            assert answer.status_code == 412
            assert answer.json["type"] == "urn:problem:stale"
    assert client.get(path).json["body"] == "Second"
    for tag in ('"2"', '"7", "3"', "*"):
        headers = ada.headers | {"If-Match": tag}
        assert client.patch(path, json={"body": "Next"}, headers=headers).status_code == 200


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
@pytest.mark.parametrize("post_id", [NOBODY, NOBODY.upper(), "x", "1", "x" * 64])
def test_unknown_post_is_404(client, ada, write, method, post_id):
    write()
    json = {"json": {"body": "x"}} if method == "patch" else {}
    answer = getattr(client, method)(f"{PATH}/{post_id}", headers=ada.headers, **json)
    assert answer.status_code == 404
    assert answer.json["detail"] == "Post not found."


def test_write_takes_at_most_three_calls(client, ada, dynamo, thread):
    new = {"thread_id": thread, "body": "Hello"}

    def cost(key):
        with dynamo.counted() as calls:
            made = client.post(PATH, json=new, headers=ada.headers | {"Idempotency-Key": key})
        assert made.status_code == 201
        return calls

    # Once, what is not known yet: the person, and the thread.
    once = {"TransactWriteItems": 3}
    assert cost("k1") == {"GetItem": 1, "BatchGetItem": 1} | once
    # The key, the person and the thread, and the write with its event.
    assert cost("k2") == {"GetItem": 1, "BatchGetItem": 1, "TransactWriteItems": 1}
    assert cost("k2") == {"GetItem": 1}
    with dynamo.counted() as calls:
        path = client.post(PATH, json=new, headers=ada.headers).headers["Location"]
    assert calls == {"BatchGetItem": 1, "TransactWriteItems": 1}
    # The person, the post in two, the name of its author with the thread, and the write.
    edit = {"GetItem": 3, "BatchGetItem": 1, "TransactWriteItems": 1}
    for change in (
        lambda: client.patch(path, json={"body": "Better"}, headers=ada.headers),
        lambda: client.delete(path, headers=ada.headers),
    ):
        with dynamo.counted() as calls:
            assert change().status_code in {200, 204}
        assert calls == edit


def test_new_name_shows_on_old_posts_too(client, sign_in, ada, write):
    old = write("Before", ada)
    renamed = sign_in("Ada Lovelace", person=ada, version=2)
    new = write("After", renamed)
    names = {post["id"]: post["author"]["display_name"] for post in walk(client, PATH)}
    assert names == {old: "Ada Lovelace", new: "Ada Lovelace"}


def test_old_session_does_not_restore_an_old_name(client, settings, sign_in, ada, write):
    write("New name", sign_in("Ada Lovelace", person=ada, version=2))
    elsewhere = (
        PostsService(settings).create_app().test_client()
    )  # a process that has learnt nothing yet
    for server in (client, elsewhere):
        new = {"thread_id": next(iter(walk(client, PATH)))["thread_id"], "body": "Old session"}
        made = server.post(PATH, json=new, headers=ada.headers)
        assert made.json["author"]["display_name"] == "Ada Lovelace"
    assert {post["author"]["display_name"] for post in walk(client, PATH)} == {"Ada Lovelace"}


def test_unknown_author_is_shown_as_a_former_member(client, dynamo, settings, ada, write):
    post = write("Hello")
    dynamo.client.delete_item(
        TableName=f"{settings.table_prefix}posts-people", Key={"id": {"S": ada.id}}
    )
    for shown in (client.get(f"{PATH}/{post}").json, *walk(client, PATH)):
        assert shown["author"] == {"id": ada.id, "display_name": "former member"}


def test_no_name_is_stored_with_a_post(client, database, ada, thread, write):
    post = write("Hello")
    item = database.get("posts", {"thread_id": thread, "id": post})
    assert ada.name not in str(item)
    assert ada.username not in str(item)


def test_service_is_ready_without_threads(client, threads):
    threads.stop()
    assert client.get("/readyz").status_code == 200


def test_unreachable_database_is_503_everywhere(settings, ada, thread, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    client = PostsService(settings).create_app().test_client()
    for answer in (
        client.get(PATH),
        client.get(f"{PATH}/{uuid7()}"),
        client.get(f"{PATH}/in-thread/{thread}"),
        client.post(PATH, json={"thread_id": thread, "body": "x"}, headers=ada.headers),
        client.get("/readyz"),
    ):
        assert answer.status_code == 503
        assert answer.content_type == "application/problem+json"
        assert "127.0.0.1" not in answer.text
    assert client.get("/healthz").status_code == 200
