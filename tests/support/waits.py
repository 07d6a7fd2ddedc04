"""Waits of tests for asynchronous results."""

import time
from collections.abc import Callable
from typing import TypeVar

RESULT = TypeVar("RESULT")


def wait_until(question: Callable[[], RESULT], timeout: float = 15.0) -> RESULT:
    """Call a function until its result is true, and return it; fail after a timeout."""
    end = time.monotonic() + timeout
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {timeout} s: {question}"
        time.sleep(0.01)
