"""Records of users, as a move writes them into the service's tables and reads them back."""

import pytest

from users.bootstrap import UsersService
from users.dynamodb.records import UserRecords
from users.dynamodb.tables import IDEMPOTENCY, USERS

RECORD = {
    "id": "019abf2e-5f40-7c31-9d1e-0a4b7c2d9e01",
    "erased": False,
    "version": 4,
    "username": "ada",
    "display_name": "Ada",
    "bio": "",
    "role": "member",
    "suspended": False,
    "created_at": "2026-01-31T12:00:00.000Z",
    "sessions_valid_from": 3,
    "password_hash": "a hash",
}


@pytest.fixture
def database(settings):
    return UsersService(settings).database


def test_copied_user_keeps_the_end_of_sessions(database):
    records = UserRecords(database)
    records.write([RECORD])
    assert records.read_many([RECORD["id"]]) == {RECORD["id"]: RECORD}


def test_item_of_an_earlier_revision_has_no_ended_session(database):
    records = UserRecords(database)
    records.write([RECORD])
    item = database.get(USERS.name, {"id": RECORD["id"]})
    del item["sessions_valid_from"]
    database.put_item_if(USERS.name, item, "")
    assert records.read_many([RECORD["id"]])[RECORD["id"]] == RECORD | {"sessions_valid_from": 0}


RESPONSE = {
    "kind": "answer",
    "scope": "newcomer ada /api/users key-1",
    "fingerprint": "f",
    "answer": {"id": RECORD["id"], "username": "ada"},
    "expires": 2**31,
}
ERASED = {
    "id": RECORD["id"],
    "erased": True,
    "version": 5,
    "requested_at": "2026-02-01T12:00:00.000Z",
}


def test_registration_of_an_erased_user_is_not_copied(database):
    records = UserRecords(database)
    records.write([ERASED])
    other = RESPONSE | {"scope": "newcomer bob /api/users key-1", "answer": {"id": "another"}}
    records.write_auxiliary([RESPONSE, other])
    stored, _ = database.scan(IDEMPOTENCY.name, None)
    assert [item["owner_id"] for item in stored] == ["newcomer bob"]


def test_erasure_of_a_user_who_was_never_copied_deletes_the_response(database):
    """They registered after the users were copied, and left before the changes were."""
    records = UserRecords(database)
    records.write_auxiliary([RESPONSE])
    erasure = {name: ERASED[name] for name in ("id", "version", "requested_at")}
    records.write_auxiliary(
        [erasure | {"kind": "erasure", "finished_at": None, "waiting_for": ["users"]}]
    )
    assert database.scan(IDEMPOTENCY.name, None) == ([], None)
    # The copy is complete, so nothing would be written for this user later.
    assert records.read_many([RECORD["id"]]) == {RECORD["id"]: ERASED}


@pytest.mark.parametrize("known", [[], [RECORD]], ids=["unknown", "known"])
def test_copied_erasure_deletes_the_response_to_the_registration(database, known):
    records = UserRecords(database)
    records.write(known)
    records.write_auxiliary([RESPONSE])
    assert database.scan(IDEMPOTENCY.name, None)[0]
    records.write([ERASED])
    assert database.scan(IDEMPOTENCY.name, None) == ([], None)
