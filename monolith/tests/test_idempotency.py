"""Idempotency responses move with their domain, and expire like the counters of sign-ins."""

from datetime import timedelta

from sqlalchemy import select

from chassis.clock import utc_now
from chassis.idempotency.keys import IdempotencyKey
from forum.idempotency import IdempotencyRecords, StoredResponse, store_response
from forum.users.models import SignInAttempts
from forum.users.persistence import anonymise, lock_erased


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
