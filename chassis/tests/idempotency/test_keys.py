"""Idempotency keys: their scope and their request's fingerprint."""

import pytest

from chassis.errors import IdempotencyKeyReused, Invalid, Unavailable
from chassis.idempotency.keys import IdempotencyKeys, require_stored_response

fingerprints = IdempotencyKeys("a secret key of tests, 32 characters or more")


def key(text="k1", owner="ann", path="/api/notes", payload=None):
    return fingerprints.from_header(
        text, owner=owner, path=path, payload=payload or {"text": "hello"}
    )


def test_fingerprint_ignores_the_order_of_fields():
    one = key(payload={"text": "hello", "title": "x"})
    other = key(payload={"title": "x", "text": "hello"})
    assert one == other
    one.require_same_request(other.fingerprint)


@pytest.mark.parametrize(
    "payload",
    [
        {"text": "hello "},
        {"text": "Hello"},
        {"text": "hello", "title": ""},
        {"body": "hello"},
        {"text": 1},
        {"text": None},
    ],
)
def test_another_request_has_another_fingerprint(payload):
    with pytest.raises(IdempotencyKeyReused):
        key().require_same_request(key(payload=payload).fingerprint)


def test_fingerprint_distinguishes_types_of_values():
    prints = {key(payload={"x": value}).fingerprint for value in (1, "1", True, "true", None)}
    assert len(prints) == 5


def test_key_belongs_to_its_owner_and_its_path():
    scopes = {
        key().scope,
        key(owner="bob").scope,
        key(path="/api/letters").scope,
        key(text="k2").scope,
    }
    assert len(scopes) == 4


def test_missing_key_is_none():
    assert key(text=None) is None


@pytest.mark.parametrize("text", ["!", "~" * 200, "a-b_c.d/e"])
def test_visible_ascii_is_a_key(text):
    assert key(text=text).key == text


@pytest.mark.parametrize("text", ["", " ", "a b", "a\tb", "a\n", "é", "x" * 201, "\x7f", "\0"])
def test_invalid_key_is_refused(text):
    with pytest.raises(Invalid) as failure:
        key(text=text)
    assert failure.value.errors[0].field == "Idempotency-Key"


def test_fingerprint_reveals_nothing_without_the_secret():
    other = IdempotencyKeys("another secret of tests, 32 characters or more")
    guessed = other.from_header("k1", owner="ann", path="/api/notes", payload={"text": "hello"})
    assert guessed.fingerprint != key().fingerprint
    assert "hello" not in repr(key())


def test_stored_response_is_returned_to_the_second_request():
    assert require_stored_response({"id": "n1"}) == {"id": "n1"}


def test_response_that_has_just_expired_is_503_with_retry_after():
    with pytest.raises(Unavailable) as expired:
        require_stored_response(None)
    assert expired.value.retry_after == 1
