"""Optimistic edits: nobody overwrites a version that they have not seen."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from chassis.errors import PreconditionFailed, Unavailable

RESULT = TypeVar("RESULT")

Precondition = frozenset[int] | None
"""The versions that an edit may replace; None where the caller named none."""

_ATTEMPTS = 15
_LONGEST_WAIT = 0.25  # seconds


def require_current(version: int, expected: Precondition) -> None:
    """Let an edit go on only from a version that the caller has seen.

    Raises:
        Stale: somebody changed it meanwhile.
    """
    if expected is not None and version not in expected:
        detail = "This was changed meanwhile."
        raise PreconditionFailed(detail)


def retry_on_conflict(attempt: Callable[[], RESULT], changed: type[Exception]) -> RESULT:
    """Try an edit again from the beginning as long as it meets others, for about two seconds.

    `attempt` reads, decides and writes on condition; it raises `changed` where the condition does
    not hold because somebody else wrote in between.

    Raises:
        Unavailable: the others never left a gap.
    """
    for number in range(_ATTEMPTS):
        try:
            return attempt()
        except changed:
            # Full jitter: racers that met once should not meet again.
            time.sleep(random.uniform(0, min(_LONGEST_WAIT, 0.01 * 2**number)))  # noqa: S311
    detail = "This is being changed by others right now."
    raise Unavailable(detail, retry_after=1)
