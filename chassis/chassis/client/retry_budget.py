"""Token-bucket retry budget: retries never multiply the load on a failing dependency."""

import random
import threading
import time

RETRIES_PER_REQUEST = 0.2  # retries for each call
RETRIES_PER_SECOND = 1.0  # retries a second that are allowed at any call rate
MAX_TOKENS = 10.0  # retries that can be saved up
FIRST_BACKOFF = 0.1  # seconds at most before the first retry; doubles with each retry


class RetryBudget:
    """Token bucket: calls and time add tokens, each retry spends one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens = MAX_TOKENS
        self._filled_at = time.monotonic()

    def record_request(self) -> None:
        """Count one call."""
        with self._lock:
            self._refill(RETRIES_PER_REQUEST)

    def spend(self) -> bool:
        """Spend one token; return False if there is none."""
        with self._lock:
            self._refill(0)
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True

    def _refill(self, more: float) -> None:
        now = time.monotonic()
        self._tokens = min(
            MAX_TOKENS, self._tokens + more + (now - self._filled_at) * RETRIES_PER_SECOND
        )
        self._filled_at = now


def backoff_seconds(retry: int) -> float:
    """Return the seconds before the first, second, … retry.

    Full jitter: callers that failed together should not retry together.
    """
    return random.uniform(0, FIRST_BACKOFF * 2 ** (retry - 1))  # noqa: S311
