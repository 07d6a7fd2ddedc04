"""Idempotency responses move with their domain, and expire like the counters of sign-ins."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from chassis.clock import utc_now
from chassis.errors import IdempotencyKeyReused
from chassis.idempotency.keys import RETENTION, DuplicateIdempotencyKey, IdempotencyKey
from forum import idempotency
from forum.idempotency import IdempotencyRecords, StoredResponse, find_response, store_response
from forum.users.models import SignInAttempts
from forum.users.persistence import anonymise, lock_erased

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
KEY = IdempotencyKey("019abf2e", "/api/posts", "key-1", "f")


def test_first_response_is_found_until_it_expires(database):
    with database.writing() as session:
        assert find_response(session, KEY, NOW) is None
        store_response(session, KEY, {"id": "p1"}, NOW)
    with database.writing() as session:
        last = NOW + RETENTION - timedelta(seconds=1)
        assert find_response(session, KEY, last) == {"id": "p1"}
        assert find_response(session, KEY, NOW + RETENTION) is None
        store_response(session, KEY, {"id": "p2"}, NOW + RETENTION)
        assert find_response(session, KEY, NOW + RETENTION) == {"id": "p2"}


def test_request_without_a_key_stores_and_finds_nothing(database):
    with database.writing() as session:
        store_response(session, None, {"id": "p1"}, NOW)
        assert find_response(session, None, NOW) is None
        assert session.scalars(select(StoredResponse)).all() == []


def test_key_of_another_request_is_refused(database):
    other = IdempotencyKey(KEY.owner, KEY.path, KEY.key, "g")
    with database.writing() as session:
        store_response(session, KEY, {"id": "p1"}, NOW)
        with pytest.raises(IdempotencyKeyReused):
            find_response(session, other, NOW)


def test_key_can_be_claimed_once(database):
    with database.writing() as session:
        store_response(session, KEY, {"id": "p1"}, NOW)
    with pytest.raises(DuplicateIdempotencyKey), database.writing() as session:
        store_response(session, KEY, {"id": "p2"}, NOW)
    with database.writing() as session:
        assert find_response(session, KEY, NOW) == {"id": "p1"}


@pytest.mark.parametrize("count", [3, 4])
def test_unexpired_responses_of_a_path_are_read_in_pages(database, monkeypatch, count):
    monkeypatch.setattr(idempotency, "PAGE", 2)
    with database.writing() as session:
        for number in range(count):
            key = IdempotencyKey("019abf2e", "/api/posts", f"key-{number}", "f")
            store_response(session, key, {"number": number}, NOW)
        store_response(session, IdempotencyKey("u", "/api/threads", "key", "f"), {}, NOW)
    records = IdempotencyRecords(database, "/api/posts", lambda: NOW, lock_erased)
    pages = list(records.read_since(None))
    assert [record["answer"] for page in pages for record in page] == [
        {"number": number} for number in range(count)
    ]
    assert all(len(page) <= 2 for page in pages)


def test_responses_are_read_from_a_time_on_and_while_they_last(database):
    with database.writing() as session:
        for seconds in (-1, 0, 1):
            key = IdempotencyKey("u", "/api/posts", f"{seconds}", "f")
            store_response(session, key, {}, NOW + timedelta(seconds=seconds))

    def read(at, since):
        records = IdempotencyRecords(database, "/api/posts", lambda: at, lock_erased)
        return [
            record["scope"].split()[-1] for page in records.read_since(since) for record in page
        ]

    assert sorted(read(NOW, None)) == ["-1", "0", "1"]
    assert sorted(read(NOW, NOW)) == ["0", "1"]
    assert sorted(read(NOW + RETENTION, None)) == ["0", "1"]
    later = NOW + RETENTION + timedelta(seconds=1)
    assert sorted(read(later, NOW - timedelta(days=1))) == ["1"]


def test_response_is_replaced_when_it_is_copied_again(database):
    records = IdempotencyRecords(database, "/api/posts", utc_now, lock_erased)
    expires = int((utc_now() + timedelta(hours=1)).timestamp())
    record = {
        "kind": "answer",
        "scope": "019abf2e /api/posts key-1",
        "fingerprint": "f",
        "expires": expires,
    }
    records.write([record | {"answer": {"id": "p1"}}])
    records.write([record | {"answer": {"id": "p2"}}])
    [[copied]] = records.read_since(None)
    assert copied == record | {"answer": {"id": "p2"}}


def test_responses_of_erased_users_are_not_stored(database):
    records = IdempotencyRecords(database, "/api/users", utc_now, lock_erased)
    ann, bob = "019abf2e-5f40-7c31-9d1e-0a4b7c2d9e01", "019abf2e-5f40-7c31-9d1e-0a4b7c2d9e02"
    with database.writing() as session:
        anonymise(session, ann, 2, utc_now())
    expires = int((utc_now() + timedelta(hours=1)).timestamp())
    head = {"kind": "answer", "fingerprint": "f", "expires": expires}
    records.write(
        [
            head | {"scope": f"{ann} /api/users k1", "answer": {"id": "p1", "author": "Ann"}},
            head | {"scope": "newcomer ann /api/users k2", "answer": {"id": ann}},
            head | {"scope": f"{bob} /api/users k3", "answer": {"id": "p2"}},
            head | {"scope": "newcomer bob /api/users k4", "answer": {"id": bob}},
        ]
    )
    [stored] = records.read_since(None)
    assert [one["scope"].rsplit(" ")[-1] for one in stored] == ["k3", "k4"]


def test_next_write_deletes_expired_responses(database):
    now = utc_now()
    keys = {name: IdempotencyKey("019abf2e", "/api/posts", name, "f") for name in ("past", "live")}
    with database.writing() as session:
        store_response(session, keys["past"], {}, now - timedelta(hours=25))
    with database.writing() as session:
        store_response(session, keys["live"], {}, now - timedelta(hours=23))
    with database.writing() as session:
        store_response(session, IdempotencyKey("019abf2f", "/api/posts", "new", "f"), {}, now)
    with database.reading() as session:
        scopes = session.scalars(select(StoredResponse.scope)).all()
    assert sorted(scopes) == ["019abf2e /api/posts live", "019abf2f /api/posts new"]


def test_next_attempt_deletes_expired_counters(database, client):
    now = utc_now()
    with database.writing() as session:
        for name, expires_at in (("past", now), ("live", now + timedelta(hours=1))):
            session.add(SignInAttempts(counter=name, hits=1, expires_at=expires_at))
    body = {"username": "ada", "password": "correct horse"}
    assert client.post("/api/users/sessions", json=body).status_code == 401
    with database.reading() as session:
        counters = session.scalars(select(SignInAttempts.counter)).all()
    assert "live" in counters
    assert "past" not in counters
    assert len(counters) == 3, "one of the name, one of the address"
