"""Password hashes with argon2id, sized for a small task, made apart from other requests.

A hash takes some 40 ms of CPU. Many at once would keep all threads and cores from readers, so that
a process makes one at a time, and lets only a few requests wait for theirs; the others are told to
try again.
"""

import os
import threading
import unicodedata
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
    """Hash a password for storage, in its normalized form.

    Raises:
        RateLimited: too many passwords are being hashed.
        Unavailable: the request's deadline is over.
    """
    return _run(lambda: _hasher.hash(_normalize(password)))


def verify_password(kept: str | None, password: str) -> bool:
    """Return whether a password matches the hash; takes as long when there is no hash.

    A password that is not in its normalized form is also tried as it was given, because hashes of
    earlier revisions were made of that.

    Raises:
        RateLimited: too many passwords are being hashed.
        Unavailable: the request's deadline is over.
    """
    forms = dict.fromkeys((_normalize(password), password))
    found = _run(lambda: any(_matches(kept or _DUMMY, form) for form in forms))
    return found and kept is not None


def _normalize(password: str) -> str:
    """Return the form in which a password is the same from every keyboard: NFC, as RFC 8265 says.

    Not NFKC: it would make different characters equal, such as the digits 2 and ².
    """
    return unicodedata.normalize("NFC", password)


def _matches(kept: str, password: str) -> bool:
    try:
        return _hasher.verify(kept, password)
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
