"""Stored responses to idempotency keys: one per key, for 24 hours."""

from datetime import UTC, datetime, timedelta

import pytest

from chassis.dynamodb.database import TransactionCanceled
from chassis.errors import IdempotencyKeyReused
from chassis.idempotency import store
from chassis.idempotency.keys import IdempotencyKey
from chassis.idempotency.store import IdempotencyStore

NOTES = store.idempotency_table("notes")
KEY = IdempotencyKey("ann", "/api/notes", "k1", "fingerprint-1")


class Watch:
    """A clock that a test sets."""

    def __init__(self):
        self.now = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def watch():
    return Watch()


@pytest.fixture
def database(dynamo):
    return dynamo.database(dynamo.provision((NOTES,)))


@pytest.fixture
def responses(database, watch):
    return IdempotencyStore(database, NOTES.name, watch)


def test_first_response_is_kept(responses, database):
    assert responses.find_response(KEY) is None
    database.transact([responses.store_response(KEY, {"id": "n1", "edited_at": None})])
    assert responses.find_response(KEY) == {"id": "n1", "edited_at": None}
    with pytest.raises(TransactionCanceled):
        database.transact([responses.store_response(KEY, {"id": "n2"})])
    assert responses.find_response(KEY)["id"] == "n1"


def test_missing_key_has_no_response(responses):
    assert responses.find_response(None) is None


def test_another_request_with_the_key_is_refused(responses, database):
    database.transact([responses.store_response(KEY, {"id": "n1"})])
    with pytest.raises(IdempotencyKeyReused):
        responses.find_response(IdempotencyKey("ann", "/api/notes", "k1", "fingerprint-2"))
    assert (
        responses.find_response(IdempotencyKey("bob", "/api/notes", "k1", "fingerprint-2")) is None
    )


def test_key_expires_after_24_hours(responses, database, watch):
    database.transact([responses.store_response(KEY, {"id": "n1"})])
    watch.now += timedelta(hours=24, seconds=-1)
    assert responses.find_response(KEY)
    watch.now += timedelta(seconds=1)
    assert responses.find_response(KEY) is None
    database.transact([responses.store_response(KEY, {"id": "n2"})])
    assert responses.find_response(KEY) == {"id": "n2"}


def test_responses_of_an_owner_are_deleted_all_at_once(responses, database):
    others = IdempotencyKey("bob", "/api/notes", "k1", "fingerprint-1")
    keys = [IdempotencyKey("ann", "/api/notes", f"k{number}", "f") for number in range(45)]
    for number, key in enumerate([*keys, others]):
        database.transact([responses.store_response(key, {"id": f"n{number}"})])
    store.delete_responses(database, NOTES.name, "ann")
    assert [responses.find_response(key) for key in keys] == [None] * 45
    assert responses.find_response(others)


def test_response_about_one_thing_is_deleted_alone(responses, database):
    keys = [IdempotencyKey("ann", "/api/notes", f"k{number}", "f") for number in range(2)]
    for number, key in enumerate(keys):
        database.transact([responses.store_response(key, {"id": f"n{number}"})])
    database.transact(responses.delete_response("ann", "n0"))
    assert [bool(responses.find_response(key)) for key in keys] == [False, True]
