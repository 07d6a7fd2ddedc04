"""Password hashes with argon2id, sized for a small task, made apart from other requests.

A hash takes some 40 ms of CPU. Many at once would keep all threads and cores from readers, so that
a process makes one at a time, and lets only a few requests wait for theirs; the others are told to
try again.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from chassis.deadline import remaining_seconds
from chassis.errors import RateLimited, Unavailable

MAX_REQUESTS = 4
"""Requests that may be hashing or waiting in one process; half of its threads (WORKER_THREADS)."""

_RESULT = TypeVar("_RESULT")

_refused = ContextVar("_refused", default=False)

# OWASP's smallest recommended memory.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_DUMMY = _hasher.hash("a name that nobody has takes as long as one that somebody has")


def hash_password(password: str) -> str:
    """Hash a password for storage.

    Raises:
        RateLimited: too many passwords are being hashed.
        Unavailable: the request's deadline is over.
    """
    return _run(lambda: _hasher.hash(password))


def verify_password(kept: str | None, password: str) -> bool:
    """Return whether a password matches the hash; takes as long when there is no hash.

    Raises:
        RateLimited: too many passwords are being hashed.
        Unavailable: the request's deadline is over.
    """
    try:
        return _run(lambda: _hasher.verify(kept or _DUMMY, password)) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


class _Hashing:
    """The hashing thread of this process, and the places of the requests that use it."""

    def __init__(self) -> None:
        self.places = threading.BoundedSemaphore(MAX_REQUESTS)
        self.thread = ThreadPoolExecutor(1, "passwords")


# Made when it is first needed: a process that is forked has no copy of the thread.
_hashing = cache(_Hashing)
os.register_at_fork(after_in_child=_hashing.cache_clear)


@contextmanager
def hashes_refused() -> Iterator[None]:
    """Refuse to hash within the block, for a request that has already waited for too long."""
    token = _refused.set(True)
    try:
        yield
    finally:
        _refused.reset(token)


def _too_many_hashes() -> RateLimited:
    detail = "Too many people are signing in or registering. Try again in a few seconds."
    return RateLimited(detail, retry_after=2)


def _run(work: Callable[[], _RESULT]) -> _RESULT:
    if _refused.get():
        raise _too_many_hashes()
    hashing = _hashing()
    if not hashing.places.acquire(blocking=False):
        raise _too_many_hashes()
    try:
        pending = hashing.thread.submit(work)
        try:
            return pending.result(remaining_seconds())
        except TimeoutError as error:
            pending.cancel()
            detail = "The request timed out."
            raise Unavailable(detail) from error
    finally:
        hashing.places.release()
