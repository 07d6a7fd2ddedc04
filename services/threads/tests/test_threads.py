"""Operations on threads."""

import pytest

from chassis.clock import uuid7
from tests.support.etags import version_of
from threads.bootstrap import ThreadsService

PATH = "/api/threads"


def test_new_thread_is_returned_and_readable_by_anyone(client, ada):
    made = client.post(PATH, json={"title": "  First steps "}, headers=ada.headers)
    assert made.status_code == 201
    assert version_of(made.headers["ETag"]) == 1
    assert made.headers["Location"] == f"{PATH}/{made.json['id']}"
    assert made.json == {
        "id": made.json["id"],
        "title": "First steps",
        "author": {"id": ada.id, "display_name": "Ada"},
        "created_at": made.json["created_at"],
        "last_activity_at": made.json["created_at"],
        "post_count": 0,
        "locked": False,
    }
    read = client.get(made.headers["Location"])
    assert read.status_code == 200
    assert read.json == made.json
    assert version_of(read.headers["ETag"]) == 1
    assert read.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"title": ""},
        {"title": " \u2003 "},
        {"title": "x" * 121},
        {"title": "two\nlines"},
        {"title": "nul\0"},
        {"title": "\ud800"},
        {"title": 1},
        {"title": None},
        {"title": "fine", "locked": True},
    ],
)
def test_thread_with_an_invalid_title_is_refused(client, ada, body):
    answer = client.post(PATH, json=body, headers=ada.headers)
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert answer.json["errors"][0]["field"] in {"title", "locked"}
    assert client.get(PATH).json["items"] == []


def test_writing_takes_a_session(client, begin):
    path = f"{PATH}/{begin('Hello')}"
    for answer in (
        client.post(PATH, json={"title": "No"}),
        client.patch(path, json={"title": "No"}),
        client.delete(path),
        client.delete(path, headers={"Authorization": "Bearer forged"}),
    ):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert client.get(path).json["title"] == "Hello"


def test_unknown_thread_and_invalid_id_are_404(client, ada):
    for name in (uuid7(), "nonsense", "a'b", "x" * 65):
        path = f"{PATH}/{name}"
        assert client.get(path).status_code == 404
        assert client.patch(path, json={"title": "x"}, headers=ada.headers).status_code == 404
        assert client.delete(path, headers=ada.headers).status_code == 404


def test_repeated_request_gets_the_first_response(client, ada):
    headers = ada.headers | {"Idempotency-Key": "once"}
    first = client.post(PATH, json={"title": "Once"}, headers=headers)
    again = client.post(PATH, json={"title": "Once"}, headers=headers)
    assert (again.status_code, again.json) == (201, first.json)
    assert again.headers["ETag"] == first.headers["ETag"]
    assert len(client.get(PATH).json["items"]) == 1


def test_key_belongs_to_one_user_and_request(client, ada, bob):
    key = {"Idempotency-Key": "mine"}
    first = client.post(PATH, json={"title": "Ada's"}, headers=ada.headers | key)
    other = client.post(PATH, json={"title": "Ada's"}, headers=bob.headers | key)
    assert other.status_code == 201
    assert other.json["id"] != first.json["id"]
    reused = client.post(PATH, json={"title": "Another"}, headers=ada.headers | key)
    assert reused.status_code == 422
    assert reused.json["type"] == "urn:problem:idempotency-key-reused"


def test_only_the_author_and_a_moderator_rename_a_thread(client, ada, bob, moderator, begin):
    path = f"{PATH}/{begin('Old')}"
    renamed = client.patch(path, json={"title": "New"}, headers=ada.headers)
    assert renamed.status_code == 200
    assert renamed.json["title"] == "New"
    assert version_of(renamed.headers["ETag"]) == 2
    assert client.patch(path, json={"title": "Bob's"}, headers=bob.headers).status_code == 403
    moderated = client.patch(path, json={"title": "Tidy"}, headers=moderator.headers)
    assert moderated.json["author"]["display_name"] == "Ada"
    assert client.get(path).json == moderated.json


def test_only_a_moderator_locks_a_thread(client, ada, moderator, begin):
    path = f"{PATH}/{begin('Heated')}"
    for body in ({"locked": True}, {"title": "Calm", "locked": False}):
        assert client.patch(path, json=body, headers=ada.headers).status_code == 403
    locked = client.patch(path, json={"locked": True}, headers=moderator.headers)
    assert locked.json["locked"] is True
    assert client.get(path).json == locked.json | {"title": "Heated"}


@pytest.mark.parametrize("body", [{}, {"title": None}, {"locked": 1}, {"post_count": 5}])
def test_invalid_change_is_refused(client, moderator, begin, body):
    path = f"{PATH}/{begin('As it was')}"
    assert client.patch(path, json=body, headers=moderator.headers).status_code == 400
    assert version_of(client.get(path).headers["ETag"]) == 1


@pytest.mark.parametrize("tag", ['"1"', 'W/"2"', '"x"', "2", '""'])
def test_outdated_version_is_neither_changed_nor_deleted(client, ada, begin, tag):
    path = f"{PATH}/{begin('One')}"
    client.patch(path, json={"title": "Two"}, headers=ada.headers)
    headers = ada.headers | {"If-Match": tag}
    for answer in (
        client.patch(path, json={"title": "Three"}, headers=headers),
        client.delete(path, headers=headers),
    ):
        assert answer.status_code == 412
        assert answer.json["type"] == "urn:problem:stale"
    assert client.get(path).json["title"] == "Two"


@pytest.mark.parametrize("tag", ['"2"', '"1", "2"', "*"])
def test_current_version_can_be_changed(client, ada, begin, tag):
    path = f"{PATH}/{begin('One')}"
    client.patch(path, json={"title": "Two"}, headers=ada.headers)
    headers = ada.headers | {"If-Match": tag}
    assert client.patch(path, json={"title": "Three"}, headers=headers).status_code == 200


def test_new_name_shows_on_all_threads_once_its_session_writes(client, ada, sign_in, begin):
    first = begin("Before")
    renamed = sign_in("Ada L.", person=ada, version=2)
    begin("After", renamed)
    shown = client.get(PATH).json["items"]
    assert {thread["author"]["display_name"] for thread in shown} == {"Ada L."}
    assert client.get(f"{PATH}/{first}").json["author"]["display_name"] == "Ada L."


def test_old_session_does_not_restore_an_old_name(client, settings, ada, sign_in, begin):
    begin("New name", sign_in("Ada L.", person=ada, version=2))
    for process in (client, ThreadsService(settings).create_app().test_client()):
        late = process.post(PATH, json={"title": "Late"}, headers=ada.headers)
        assert late.json["author"]["display_name"] == "Ada L."
    assert {thread["author"]["display_name"] for thread in client.get(PATH).json["items"]} == {
        "Ada L."
    }


def test_unknown_author_is_shown_as_a_former_member(client, dynamo, settings, ada, begin):
    thread = begin("Hello")
    dynamo.client.delete_item(
        TableName=f"{settings.table_prefix}threads-people", Key={"id": {"S": ada.id}}
    )
    shown = client.get(f"{PATH}/{thread}").json["author"]
    assert shown == {"id": ada.id, "display_name": "former member"}


def test_write_is_three_or_four_calls_to_the_datastore(client, dynamo, ada, begin):
    thread = begin("The first one makes Ada known")
    # The key, the person, and the write with its event.
    with dynamo.counted() as calls:
        client.post(PATH, json={"title": "Next"}, headers=ada.headers | {"Idempotency-Key": "n"})
    assert calls == {"GetItem": 2, "TransactWriteItems": 1}
    # The person, the thread, the name of its author, and the write with its event.
    with dynamo.counted() as calls:
        client.patch(f"{PATH}/{thread}", json={"title": "Other"}, headers=ada.headers)
    assert calls == {"GetItem": 2, "BatchGetItem": 1, "TransactWriteItems": 1}


def test_document_names_the_operations(client):
    document = client.get(f"{PATH}/openapi.json").json
    assert document["openapi"].startswith("3.1")
    assert {
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    } == {"createThread", "listThreads", "getThread", "changeThread", "deleteThread"}


def test_service_is_ready_once_its_tables_are_there(client, settings):
    assert client.get("/readyz").status_code == 200
    elsewhere = settings.model_copy(update={"table_prefix": "nowhere-"})
    assert ThreadsService(elsewhere).create_app().test_client().get("/readyz").status_code == 503


def test_second_read_of_a_thread_with_its_author_is_one_call(client, dynamo, ada, begin):
    thread = begin("Whose is this?")
    with dynamo.counted() as calls:
        first = client.get(f"{PATH}/{thread}").json
    assert calls == {"GetItem": 1, "BatchGetItem": 1}
    with dynamo.counted() as calls:
        assert client.get(f"{PATH}/{thread}").json == first
    assert calls == {"BatchGetItem": 1}
    assert client.delete(f"{PATH}/{thread}", headers=ada.headers).status_code == 204
    assert client.get(f"{PATH}/{thread}").status_code == 404
