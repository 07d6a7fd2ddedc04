"""Optimistic concurrency control: an edit only replaces the version it was based on."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from chassis.errors import PreconditionFailed, Unavailable

RESULT = TypeVar("RESULT")

Precondition = frozenset[int] | None
"""The versions that an edit may replace; None without a precondition."""

_ATTEMPTS = 15
_LONGEST_WAIT = 0.25  # seconds


def require_current(version: int, expected: Precondition) -> None:
    """Require that an edit is based on the current version.

    Raises:
        PreconditionFailed: the version has changed in the meantime.
    """
    if expected is not None and version not in expected:
        detail = "This has changed since you loaded it. Review the current version and try again."
        raise PreconditionFailed(detail)


def retry_on_conflict(attempt: Callable[[], RESULT], changed: type[Exception]) -> RESULT:
    """Retry an edit from the beginning while it conflicts with others, for about two seconds.

    `attempt` reads, decides and writes conditionally; it raises `changed` if the condition fails
    because of a concurrent write.

    Raises:
        Unavailable: every attempt met a conflict.
    """
    for number in range(_ATTEMPTS):
        try:
            return attempt()
        except changed:
            # Full jitter: writers that conflicted once should not conflict again.
            time.sleep(random.uniform(0, min(_LONGEST_WAIT, 0.01 * 2**number)))  # noqa: S311
    detail = "Too many people are changing this at the same time."
    raise Unavailable(detail, retry_after=1)
