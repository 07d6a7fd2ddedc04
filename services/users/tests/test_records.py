"""Records of users, as a move writes them into the service's tables and reads them back."""

import pytest

from users.bootstrap import UsersService
from users.dynamodb.records import UserRecords
from users.dynamodb.tables import USERS

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
