"""Moderation, and the permissions of suspended people."""

import pytest

from services.users.tests.conftest import PASSWORD
from tests.support.etags import version_of
from users import moderator as command

PATH = "/api/users"


def test_moderator_can_suspend_and_change_roles(client, moderator, ada):
    changed = client.patch(
        ada.path,
        json={"role": "moderator", "suspended": True, "password": PASSWORD},
        headers=moderator.headers,
    )
    assert changed.status_code == 200
    assert changed.json["role"] == "moderator"
    assert "suspended" not in changed.json


@pytest.mark.parametrize(
    "body", [{"role": "moderator", "password": PASSWORD}, {"suspended": False}]
)
def test_member_can_neither_suspend_nor_change_roles(client, ada, bob, body):
    for path in (ada.path, bob.path):
        assert client.patch(path, json=body, headers=ada.headers).status_code == 403
    assert client.get(ada.path).json["role"] == "member"


@pytest.mark.parametrize(
    "body",
    [
        {"role": "admin", "password": PASSWORD},
        {"role": "moderator"},
        {"role": "moderator", "password": ""},
        {"password": PASSWORD},
        {"suspended": "yes"},
        {"suspended": None},
        {"username": "x"},
        {},
    ],
)
def test_invalid_change_is_refused(client, moderator, ada, body):
    assert client.patch(ada.path, json=body, headers=moderator.headers).status_code == 400
    assert version_of(client.get(ada.path).headers["ETag"]) == 1


def test_moderator_cannot_edit_the_profile_with_a_suspension(client, moderator, ada):
    body = {"bio": "Banned.", "suspended": True}
    assert client.patch(ada.path, json=body, headers=moderator.headers).status_code == 403
    assert client.patch(ada.path, json={"bio": "Here"}, headers=ada.headers).status_code == 200


def test_suspended_user_can_sign_in_and_leave_but_not_edit(client, moderator, ada):
    client.patch(ada.path, json={"suspended": True}, headers=moderator.headers)
    edit = client.patch(ada.path, json={"bio": "Still here"}, headers=ada.headers)
    assert edit.status_code == 403
    assert edit.json["type"] == "urn:problem:suspended"
    assert client.get(f"{PATH}/me", headers=ada.headers).status_code == 200
    credentials = {"username": "ada", "password": PASSWORD}
    assert client.post(f"{PATH}/sessions", json=credentials).status_code == 201
    new = {"current": PASSWORD, "new": "another horse"}
    changed = client.put(f"{PATH}/me/password", json=new, headers=ada.headers)
    assert changed.status_code == 200
    headers = {"Authorization": f"Bearer {changed.json['token']}"}
    erased = client.delete(ada.path, json={"password": "another horse"}, headers=headers)
    assert erased.status_code == 202


def test_reinstated_user_can_edit_again(client, moderator, ada):
    for suspended in (True, False):
        client.patch(ada.path, json={"suspended": suspended}, headers=moderator.headers)
    assert client.patch(ada.path, json={"bio": "Back"}, headers=ada.headers).status_code == 200


def test_removed_role_is_gone_at_once(client, moderator, join):
    other = join("mia", moderator=True)
    body = {"role": "member", "password": PASSWORD}
    assert client.patch(other.path, json=body, headers=moderator.headers).status_code == 200
    answer = client.patch(moderator.path, json=body, headers=other.headers)
    assert answer.status_code == 403


def test_role_needs_the_moderators_own_password(client, moderator, ada, dynamo):
    body = {"role": "moderator", "password": "not the password"}
    answer = client.patch(ada.path, json=body, headers=moderator.headers)
    assert (answer.status_code, answer.json["type"]) == (403, "urn:problem:wrong-password")
    assert version_of(client.get(ada.path).headers["ETag"]) == 1
    with dynamo.counted() as calls:
        client.patch(ada.path, json={"suspended": True}, headers=moderator.headers)
    assert calls == {"GetItem": 2, "TransactWriteItems": 1}, "a suspension needs none"


@pytest.fixture
def environment(monkeypatch, settings):
    monkeypatch.setenv("SECRET_KEY", settings.secret_key.get_secret_value())
    monkeypatch.setenv("SESSION_PUBLIC_KEYS", settings.session_public_keys)
    monkeypatch.setenv("SESSION_PRIVATE_KEY", settings.session_private_key.get_secret_value())
    monkeypatch.setenv("TABLE_PREFIX", settings.table_prefix)


@pytest.mark.usefixtures("environment")
def test_command_makes_the_first_moderator(client, ada, capsys):
    assert command.main(["ADA"]) == 0
    assert capsys.readouterr().out.startswith("ada is now a moderator")
    assert client.get(ada.path).json["role"] == "moderator"


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(("arguments", "code"), [(["nobody"], 1), ([], 2)])
def test_make_moderator_refuses_wrong_arguments(capsys, arguments, code):
    assert command.main(arguments) == code
    assert capsys.readouterr().err
