"""A wait for the end of a write freeze, bounded in time and in the number of waiting requests."""

import time
from collections.abc import Callable
from threading import BoundedSemaphore

MAX_WAIT_SECONDS = 3.0  # maximum wait of a write for the end of a freeze
POLL_SECONDS = 0.03
MAX_WAITERS = 6  # waiting threads of a process; the others continue to serve readers


class BoundedWait:
    """Bounded wait of a few requests, which hides a short freeze from clients."""

    def __init__(self, seconds: float = MAX_WAIT_SECONDS, waiters: int = MAX_WAITERS) -> None:
        self._seconds = seconds
        self._room = BoundedSemaphore(waiters)

    def until(self, over: Callable[[], bool]) -> bool:
        """Wait until `over`; return False at once if too many wait, or after too long."""
        end = time.monotonic() + self._seconds
        if not self._room.acquire(blocking=False):
            return False
        try:
            while not over():
                if time.monotonic() > end:
                    return False
                time.sleep(POLL_SECONDS)
        finally:
            self._room.release()
        return True
