"""The answers to idempotency keys: one per key, for 24 hours."""

from datetime import UTC, datetime, timedelta

import pytest

from chassis.dynamodb.database import NotApplied
from chassis.errors import KeyReused
from chassis.idempotency import store
from chassis.idempotency.keys import IdempotencyKey
from chassis.idempotency.store import Answers

NOTES = store.table("notes")
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
def answers(database, watch):
    return Answers(database, NOTES.name, watch)


def test_the_first_answer_is_kept(answers, database):
    assert answers.find(KEY) is None
    database.transact([answers.keep(KEY, {"id": "n1", "edited_at": None})])
    assert answers.find(KEY) == {"id": "n1", "edited_at": None}
    with pytest.raises(NotApplied):
        database.transact([answers.keep(KEY, {"id": "n2"})])
    assert answers.find(KEY)["id"] == "n1"


def test_no_key_has_no_answer(answers):
    assert answers.find(None) is None


def test_another_request_with_the_key_is_refused(answers, database):
    database.transact([answers.keep(KEY, {"id": "n1"})])
    with pytest.raises(KeyReused):
        answers.find(IdempotencyKey("ann", "/api/notes", "k1", "fingerprint-2"))
    assert answers.find(IdempotencyKey("bob", "/api/notes", "k1", "fingerprint-2")) is None


def test_a_key_is_free_again_after_24_hours(answers, database, watch):
    database.transact([answers.keep(KEY, {"id": "n1"})])
    watch.now += timedelta(hours=24, seconds=-1)
    assert answers.find(KEY)
    watch.now += timedelta(seconds=1)
    assert answers.find(KEY) is None
    database.transact([answers.keep(KEY, {"id": "n2"})])
    assert answers.find(KEY) == {"id": "n2"}
