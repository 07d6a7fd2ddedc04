"""Idempotency responses move with their domain."""

from datetime import timedelta

from chassis.clock import utc_now
from forum.idempotency import IdempotencyRecords


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
