"""Idempotency responses move with their domain, and expire like the counters of sign-ins."""

from datetime import timedelta

from sqlalchemy import select

from chassis.clock import utc_now
from chassis.idempotency.keys import IdempotencyKey
from forum.idempotency import IdempotencyRecords, StoredResponse, store_response
from forum.users.models import SignInAttempts


def test_response_is_replaced_when_it_is_copied_again(database):
    records = IdempotencyRecords(database, "/api/posts", utc_now)
    expires = int((utc_now() + timedelta(hours=1)).timestamp())
    record = {
        "kind": "answer",
        "scope": "019abf2e /api/posts key-1",
        "fingerprint": "f",
        "expires": expires,
    }
    records.write([record | {"answer": '{"status": 201}'}])
    records.write([record | {"answer": '{"status": 200}'}])
    [[copied]] = records.read_since(None)
    assert copied == record | {"answer": '{"status": 200}'}


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
