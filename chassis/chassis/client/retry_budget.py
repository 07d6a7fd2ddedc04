"""How many retries are in order: they must never multiply the load on a part that is down."""

import random
import threading
import time

SHARE = 0.2  # retries for each call
FLOOR = 1.0  # retries a second that are in order however few calls there are
MOST = 10.0  # retries that can be saved up
FIRST_WAIT = 0.1  # seconds at most, twice as many before each further try


class Budget:
    """A bucket of tokens: calls and time fill it, a retry takes one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens = MOST
        self._filled_at = time.monotonic()

    def call(self) -> None:
        """Count one call."""
        with self._lock:
            self._fill(SHARE)

    def retry(self) -> bool:
        """Tell whether one retry is in order now, and count it."""
        with self._lock:
            self._fill(0)
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True

    def _fill(self, more: float) -> None:
        now = time.monotonic()
        self._tokens = min(MOST, self._tokens + more + (now - self._filled_at) * FLOOR)
        self._filled_at = now


def pause(retry: int) -> float:
    """Give the seconds before the first, second, … retry.

    Full jitter: callers that failed together should not come back together.
    """
    return random.uniform(0, FIRST_WAIT * 2 ** (retry - 1))  # noqa: S311
