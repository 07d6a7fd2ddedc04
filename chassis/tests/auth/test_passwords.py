"""Passwords are stored as hashes, and timing does not reveal accounts."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from chassis.auth import passwords
from chassis.auth.passwords import hash_password, hashes_refused, verify_password
from chassis.deadline import limit
from chassis.errors import RateLimited, Unavailable

LONG = 20


def test_password_verifies_against_its_own_hash_only():
    kept = hash_password("correct horse")
    assert kept.startswith("$argon2id$")
    assert "correct horse" not in kept
    assert verify_password(kept, "correct horse")
    assert not verify_password(kept, "correct horse ")
    assert hash_password("correct horse") != kept


def test_password_is_the_same_from_every_keyboard():
    composed, decomposed = "caf\u00e9 \u1ec7 \uac00", "cafe\u0301 e\u0323\u0302 \u1100\u1161"
    for stored in (composed, decomposed):
        kept = hash_password(stored)
        assert verify_password(kept, composed)
        assert verify_password(kept, decomposed)
        assert not verify_password(kept, "cafe e \u1100")


def test_characters_that_only_look_alike_differ():
    assert not verify_password(hash_password("horse 2"), "horse \u00b2")


def test_hash_of_a_password_that_was_not_normalized_still_verifies():
    decomposed = "cafe\u0301 horse"
    earlier = passwords._hasher.hash(decomposed)
    assert verify_password(earlier, decomposed)
    assert not verify_password(earlier, "cafe\u0301 house")


def test_missing_or_invalid_hash_verifies_nothing():
    assert not verify_password(None, "correct horse")
    assert not verify_password(
        None, "a name that nobody has takes as long as one that somebody has"
    )
    assert not verify_password("no hash", "correct horse")


@pytest.fixture
def slow_hashes(monkeypatch):
    """Hashes that wait for an event and note how many run at once."""
    hashes = SlowHashes()
    monkeypatch.setattr(passwords, "_hasher", hashes)
    yield hashes
    hashes.released.set()


class SlowHashes:
    def __init__(self):
        self.begun, self.running, self.most = [], 0, 0
        self.released = threading.Event()

    def hash(self, password):
        self.begun.append(password)
        self.running += 1
        self.most = max(self.most, self.running)
        self.released.wait(LONG)
        self.running -= 1
        return f"hash of {password}"


def until(condition):
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_few_requests_wait_for_one_hash_at_a_time(slow_hashes):
    waiting = passwords.MAX_REQUESTS
    with ThreadPoolExecutor(waiting) as pool:
        pending = [pool.submit(hash_password, str(number)) for number in range(waiting)]
        until(lambda: passwords._hashing().places._value == 0)
        for _ in range(3):
            with pytest.raises(RateLimited) as refused:
                hash_password("one too many")
            assert refused.value.retry_after > 0
        slow_hashes.released.set()
        assert [one.result(LONG) for one in pending] == [f"hash of {n}" for n in range(waiting)]
    assert slow_hashes.most == 1
    assert hash_password("later") == "hash of later"


def test_request_that_waited_too_long_is_refused(slow_hashes):
    with hashes_refused(), pytest.raises(RateLimited) as refused:
        hash_password("late")
    assert refused.value.retry_after > 0
    slow_hashes.released.set()
    assert hash_password("next") == "hash of next"
    assert slow_hashes.begun == ["next"]


def test_request_past_its_deadline_is_not_hashed(slow_hashes):
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(hash_password, "first")
        until(lambda: slow_hashes.begun)
        with limit(0.05), pytest.raises(Unavailable):
            hash_password("late")
        slow_hashes.released.set()
        first.result(LONG)
    assert hash_password("next") == "hash of next"
    assert slow_hashes.begun == ["first", "next"]


def test_forked_process_hashes_with_a_thread_of_its_own():
    kept = hash_password("correct horse")
    if (child := os.fork()) == 0:
        os._exit(0 if verify_password(kept, "correct horse") else 1)
    end = time.monotonic() + LONG
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < end:
        time.sleep(0.01)
    if ended == (0, 0):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert ended == (child, 0)
