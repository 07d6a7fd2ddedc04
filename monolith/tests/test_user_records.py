"""Records of users, as a move writes them into the monolith."""

from chassis.clock import utc_now
from forum.users.records import UserRecords

ID = "019abf2e-5f40-7c31-9d1e-0a4b7c2d9e01"


def erased(version, requested_at):
    return {"id": ID, "erased": True, "version": version, "requested_at": requested_at}


def test_forced_copy_of_an_erased_user_keeps_its_version(database):
    records = UserRecords(database, utc_now)
    records.write([erased(3, "2026-01-31T12:00:00.000Z")])
    # The service's record has another time than the replica, which took that of the event.
    copied = erased(3, "2026-01-31T12:00:01.000Z")
    records.write([copied], force=True)
    assert records.placeholder_ids() == []
    assert records.read_many([ID])[ID] == copied
    assert records.totals() == (1, 3)


def test_copied_user_keeps_the_end_of_sessions(database):
    records = UserRecords(database, utc_now)
    copied = {
        "id": ID,
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
    records.write([copied])
    assert records.read_many([ID])[ID] == copied
