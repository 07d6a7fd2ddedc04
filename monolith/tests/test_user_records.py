"""Records of users, as a move writes them into the monolith."""

from sqlalchemy import select

from chassis.clock import utc_now
from forum.users.models import Credential, UserRow
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


def alive(version):
    return {
        "id": ID,
        "erased": False,
        "version": version,
        "username": "ada",
        "display_name": "Ada",
        "bio": "",
        "role": "member",
        "suspended": False,
        "created_at": "2026-01-31T12:00:00.000Z",
        "sessions_valid_from": 3,
        "password_hash": "a hash",
    }


def test_copied_user_keeps_the_end_of_sessions(database):
    records = UserRecords(database, utc_now)
    records.write([alive(4)])
    assert records.read_many([ID])[ID] == alive(4)


def test_record_that_was_read_before_the_erasure_stores_nothing(database):
    """The event of an erasure may be faster than a record that the mover has read before it."""
    records = UserRecords(database, utc_now)
    records.write([alive(2)])
    records.write([erased(3, "2026-01-31T12:00:00.000Z")])
    for version in (2, 4):
        records.write([alive(version)])
        with database.reading() as session:
            (user,) = session.execute(select(UserRow.__table__)).mappings()
            credentials = session.scalars(select(Credential)).all()
        assert user["username_key"] is None
        assert "ada" not in str(user).lower()
        assert not credentials
