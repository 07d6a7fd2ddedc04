"""The replica of threads as a store: what writes return, and what a move writes."""

import pytest

from posts.dynamodb.thread_replica import ThreadReplica
from posts.model import Thread

THREAD = "019abf3c-1a00-7b11-8c21-0d31e41f5101"


@pytest.fixture
def replica(database):
    return ThreadReplica(database)


def test_store_returns_the_newest_thread(replica):
    old, new = (
        Thread(id=THREAD, title=f"Title {number}", locked=False, deleted=False, version=number)
        for number in (1, 2)
    )
    assert replica.store(new) == new
    assert replica.store(old) == new
    assert replica.store(new, "e2") == new


def test_records_of_a_move_are_stored_unless_newer_is_known(replica, database):
    live = {"id": THREAD, "version": 2, "title": "Hello", "locked": True, "deleted": False}
    replica.write_records([live | {"author_id": "u1"}, live | {"id": "t2", "version": 7}])
    replica.write_records([live | {"version": 1, "title": "Older"}])
    assert database.get("posts-threads", {"id": THREAD}) == live
    assert database.get("posts-threads", {"id": "t2"}) == live | {"id": "t2", "version": 7}


def test_record_of_a_deleted_thread_is_stored_like_its_event(replica, database):
    replica.write_records([{"id": THREAD, "version": 3, "deleted": True}])
    assert database.get("posts-threads", {"id": THREAD}) == {
        "id": THREAD,
        "version": 3,
        "title": "",
        "locked": False,
        "deleted": True,
    }
