"""Waiting in tests for what happens elsewhere, no longer than it takes."""

import time
from collections.abc import Callable
from typing import TypeVar

RESULT = TypeVar("RESULT")


def wait_until(question: Callable[[], RESULT], patience: float = 15.0) -> RESULT:
    """Ask until the answer is true, and give it; fail after so many seconds."""
    end = time.monotonic() + patience
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {patience} s: {question}"
        time.sleep(0.01)
