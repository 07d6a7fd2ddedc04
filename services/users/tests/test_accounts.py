"""Opening an account, changing it and leaving."""

import pytest

from chassis.clock import uuid7
from services.users.tests.conftest import PASSWORD
from tests.support.etags import version_of
from users.bootstrap import UsersService

PATH = "/api/users"
SESSIONS = f"{PATH}/sessions"
NEW = {"username": "grace", "password": PASSWORD}


def test_account_is_opened_and_shown_to_anyone(client):
    made = client.post(PATH, json=NEW | {"display_name": " Grace H. "})
    assert made.status_code == 201
    assert made.headers["Location"] == f"{PATH}/{made.json['id']}"
    assert version_of(made.headers["ETag"]) == 1
    assert made.json == {
        "id": made.json["id"],
        "username": "grace",
        "display_name": "Grace H.",
        "bio": "",
        "role": "member",
        "created_at": made.json["created_at"],
    }
    read = client.get(made.headers["Location"])
    assert (read.status_code, read.json, version_of(read.headers["ETag"])) == (200, made.json, 1)


def test_display_name_defaults_to_the_username(client):
    assert client.post(PATH, json=NEW).json["display_name"] == "grace"


@pytest.mark.parametrize("username", ["grace", "GRACE", "Ｇrace"])
def test_taken_username_is_refused(client, username):
    client.post(PATH, json=NEW)
    answer = client.post(PATH, json=NEW | {"username": username})
    assert answer.status_code == 409
    assert answer.json["type"] == "urn:problem:username-taken"
    assert len(client.get(PATH).json["items"]) == 1


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"username", "password"}),
        (NEW | {"username": "ab"}, {"username"}),
        (NEW | {"username": "a" * 31}, {"username"}),
        (NEW | {"username": ".dot"}, {"username"}),
        (NEW | {"username": "with space"}, {"username"}),
        (NEW | {"username": "ﷺ" * 3}, {"username"}),
        (NEW | {"username": "nul\0"}, {"username"}),
        (NEW | {"username": "\ud800abc"}, {"username"}),
        (NEW | {"password": "short"}, {"password"}),
        (NEW | {"password": "x" * 129}, {"password"}),
        (NEW | {"display_name": "  "}, {"display_name"}),
        (NEW | {"display_name": None}, {"display_name"}),
        (NEW | {"display_name": "two\nlines"}, {"display_name"}),
        (NEW | {"role": "moderator"}, {"role"}),
        ({"username": 1, "password": 2}, {"username", "password"}),
    ],
)
def test_invalid_registration_is_refused_with_all_its_faults(client, body, fields):
    answer = client.post(PATH, json=body)
    assert answer.status_code == 400
    assert {error["field"] for error in answer.json["errors"]} == fields
    assert client.get(PATH).json["items"] == []


def test_repeated_registration_gets_the_first_response(client):
    headers = {"Idempotency-Key": "once"}
    first = client.post(PATH, json=NEW, headers=headers)
    again = client.post(PATH, json=NEW, headers=headers)
    assert (again.status_code, again.json) == (201, first.json)
    assert again.headers["ETag"] == first.headers["ETag"]
    assert len(client.get(PATH).json["items"]) == 1
    other = client.post(PATH, json=NEW | {"password": PASSWORD + "!"}, headers=headers)
    assert other.status_code == 422


def test_refused_request_leaves_its_key_unused(client, join):
    join("grace")
    headers = {"Idempotency-Key": "once"}
    assert client.post(PATH, json=NEW, headers=headers).status_code == 409
    other = client.post(PATH, json=NEW | {"username": "grace2"}, headers=headers)
    assert other.status_code == 201


def test_password_and_hash_are_never_returned(client, dynamo, settings, ada):
    table = f"{settings.table_prefix}users"
    [item] = dynamo.client.scan(TableName=table)["Items"]
    assert item["password_hash"]["S"].startswith("$argon2id$")
    for path in (PATH, ada.path, f"{PATH}/me"):
        assert b"argon2" not in client.get(path, headers=ada.headers).data


def test_users_are_listed_by_ids_in_the_given_order(client, ada, bob):
    ids = f"{bob.id},{uuid7()},{ada.id},{bob.id},nonsense"
    answer = client.get(PATH, query_string={"ids": ids})
    assert [user["username"] for user in answer.json["items"]] == ["bob", "ada"]
    assert answer.json["next"] is None


def test_hundred_users_are_read_in_one_call(client, dynamo, ada):
    ids = ",".join([ada.id, *(uuid7() for _ in range(99))])
    with dynamo.counted() as calls:
        assert len(client.get(PATH, query_string={"ids": ids}).json["items"]) == 1
    assert calls == {"BatchGetItem": 1}


@pytest.mark.parametrize(
    "query",
    [
        {"ids": ""},
        {"ids": ","},
        {"ids": "a b"},
        {"ids": ",".join(["a"] * 101)},
        {"ids": "a", "limit": "5"},
        {"ids": "a", "cursor": "x"},
    ],
)
def test_invalid_ids_are_refused(client, query):
    assert client.get(PATH, query_string=query).status_code == 400


def test_unknown_user_and_invalid_id_are_404(client, ada):
    for name in (uuid7(), "nonsense", "x" * 65):
        path = f"{PATH}/{name}"
        assert client.get(path).status_code == 404
        assert client.patch(path, json={"bio": "x"}, headers=ada.headers).status_code == 404
        assert (
            client.delete(path, json={"password": PASSWORD}, headers=ada.headers).status_code == 404
        )


def test_only_the_user_edits_their_profile(client, ada, bob, moderator):
    edited = client.patch(
        ada.path, json={"display_name": "Ada L.", "bio": "Notes.\nMore."}, headers=ada.headers
    )
    assert edited.status_code == 200
    assert (edited.json["display_name"], edited.json["bio"]) == ("Ada L.", "Notes.\nMore.")
    assert version_of(edited.headers["ETag"]) == 2
    for other in (bob, moderator):
        refused = client.patch(ada.path, json={"bio": "Mine"}, headers=other.headers)
        assert refused.status_code == 403
    assert client.get(f"{PATH}/me", headers=ada.headers).json == edited.json
    assert client.patch(ada.path, json={"bio": ""}, headers=ada.headers).json["bio"] == ""


@pytest.mark.parametrize("tag", ['"1"', 'W/"2"', '"x"', "2", '""'])
def test_outdated_version_is_neither_changed_nor_erased(client, ada, tag):
    client.patch(ada.path, json={"bio": "Two"}, headers=ada.headers)
    headers = ada.headers | {"If-Match": tag}
    for answer in (
        client.patch(ada.path, json={"bio": "Three"}, headers=headers),
        client.delete(ada.path, json={"password": PASSWORD}, headers=headers),
    ):
        assert answer.status_code == 412
        assert answer.json["type"] == "urn:problem:stale"
    assert client.get(ada.path).json["bio"] == "Two"


def test_password_change_needs_the_current_password(client, ada):
    def sign_in(password):
        answer = client.post(SESSIONS, json={"username": "ada", "password": password})
        return answer.status_code

    path, new = f"{PATH}/me/password", "another horse"
    wrong = client.put(path, json={"current": "wrong", "new": new}, headers=ada.headers)
    assert wrong.status_code == 403
    assert wrong.json["type"] == "urn:problem:wrong-password"
    assert sign_in(new) == 401
    right = client.put(path, json={"current": PASSWORD, "new": new}, headers=ada.headers)
    assert (right.status_code, right.json["user"]["id"]) == (200, ada.id)
    assert (sign_in(new), sign_in(PASSWORD)) == (201, 401)


def test_erasing_an_account_frees_its_name_and_ends_its_sessions(client, ada):
    erased = client.delete(ada.path, json={"password": PASSWORD}, headers=ada.headers)
    assert (erased.status_code, erased.json) == (202, {"id": ada.id, "status": "erasing"})
    assert client.get(ada.path).status_code == 404
    assert client.get(PATH, query_string={"ids": ada.id}).json["items"] == []
    assert client.get(PATH).json["items"] == []
    for answer in (
        client.get(f"{PATH}/me", headers=ada.headers),
        client.patch(ada.path, json={"bio": "x"}, headers=ada.headers),
        client.delete(ada.path, json={"password": PASSWORD}, headers=ada.headers),
        client.post(SESSIONS, json={"username": "ada", "password": PASSWORD}),
    ):
        assert answer.status_code == 401
    again = client.post(PATH, json=NEW | {"username": "Ada"})
    assert again.status_code == 201
    assert again.json["id"] != ada.id


def test_only_the_user_can_erase_their_account(client, ada, bob, moderator):
    for other in (bob, moderator):
        assert (
            client.delete(ada.path, json={"password": PASSWORD}, headers=other.headers).status_code
            == 403
        )
    assert client.get(ada.path).status_code == 200


def test_service_is_ready_once_its_tables_are_there(client, settings):
    assert client.get("/readyz").status_code == 200
    elsewhere = settings.model_copy(update={"table_prefix": "nowhere-"})
    assert UsersService(elsewhere).create_app().test_client().get("/readyz").status_code == 503


def test_document_names_the_operations(client):
    document = client.get(f"{PATH}/openapi.json").json
    assert document["openapi"].startswith("3.1")
    operations = {
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    }
    assert operations == {
        "register",
        "listUsers",
        "signIn",
        "signOut",
        "getMe",
        "changePassword",
        "signOutEverywhere",
        "getUser",
        "changeUser",
        "eraseUser",
        "getErasure",
    }
