"""Moderation, and the permissions of suspended people."""

import pytest

from services.users.tests.conftest import PASSWORD
from users import moderator as command

PATH = "/api/users"


def test_a_moderator_suspends_and_gives_roles(client, moderator, ada):
    changed = client.patch(
        ada.path, json={"role": "moderator", "suspended": True}, headers=moderator.headers
    )
    assert changed.status_code == 200
    assert changed.json["role"] == "moderator"
    assert "suspended" not in changed.json


@pytest.mark.parametrize("body", [{"role": "moderator"}, {"suspended": False}])
def test_nobody_else_does(client, ada, bob, body):
    for path in (ada.path, bob.path):
        assert client.patch(path, json=body, headers=ada.headers).status_code == 403
    assert client.get(ada.path).json["role"] == "member"


@pytest.mark.parametrize(
    "body", [{"role": "admin"}, {"suspended": "yes"}, {"suspended": None}, {"username": "x"}, {}]
)
def test_an_odd_change_is_refused(client, moderator, ada, body):
    assert client.patch(ada.path, json=body, headers=moderator.headers).status_code == 400
    assert client.get(ada.path).headers["ETag"] == '"1"'


def test_a_moderator_does_not_write_in_anothers_profile_on_the_way(client, moderator, ada):
    body = {"bio": "Banned.", "suspended": True}
    assert client.patch(ada.path, json=body, headers=moderator.headers).status_code == 403
    assert client.patch(ada.path, json={"bio": "Here"}, headers=ada.headers).status_code == 200


def test_a_suspended_person_reads_signs_in_and_leaves_but_does_not_edit(client, moderator, ada):
    client.patch(ada.path, json={"suspended": True}, headers=moderator.headers)
    edit = client.patch(ada.path, json={"bio": "Still here"}, headers=ada.headers)
    assert edit.status_code == 403
    assert edit.json["type"] == "urn:problem:suspended"
    assert client.get(f"{PATH}/me", headers=ada.headers).status_code == 200
    credentials = {"username": "ada", "password": PASSWORD}
    assert client.post(f"{PATH}/sessions", json=credentials).status_code == 201
    new = {"current": PASSWORD, "new": "another horse"}
    assert client.put(f"{PATH}/me/password", json=new, headers=ada.headers).status_code == 204
    assert client.delete(ada.path, headers=ada.headers).status_code == 202


def test_who_is_let_back_in_edits_again(client, moderator, ada):
    for suspended in (True, False):
        client.patch(ada.path, json={"suspended": suspended}, headers=moderator.headers)
    assert client.patch(ada.path, json={"bio": "Back"}, headers=ada.headers).status_code == 200


def test_a_role_that_was_taken_away_is_gone_at_once(client, moderator, join):
    other = join("mia", moderator=True)
    client.patch(other.path, json={"role": "member"}, headers=moderator.headers)
    answer = client.patch(moderator.path, json={"role": "member"}, headers=other.headers)
    assert answer.status_code == 403


@pytest.fixture
def environment(monkeypatch, settings):
    monkeypatch.setenv("SECRET_KEY", settings.secret_key.get_secret_value())
    monkeypatch.setenv("SESSION_PUBLIC_KEYS", settings.session_public_keys)
    monkeypatch.setenv("SESSION_PRIVATE_KEY", settings.session_private_key.get_secret_value())
    monkeypatch.setenv("TABLE_PREFIX", settings.table_prefix)


@pytest.mark.usefixtures("environment")
def test_the_first_moderator_is_made_by_hand(client, ada, capsys):
    assert command.main(["ADA"]) == 0
    assert capsys.readouterr().out.startswith("ada is a moderator")
    assert client.get(ada.path).json["role"] == "moderator"


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(("arguments", "code"), [(["nobody"], 1), ([], 2)])
def test_nobody_is_made_a_moderator_by_mistake(capsys, arguments, code):
    assert command.main(arguments) == code
    assert capsys.readouterr().err
