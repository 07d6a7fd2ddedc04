"""A circuit breaker: calls to a failing dependency fail at once instead of after a timeout."""

import logging
import threading
import time
from contextlib import suppress

from pybreaker import (
    STATE_CLOSED,
    STATE_HALF_OPEN,
    STATE_OPEN,
    CircuitBreaker,
    CircuitBreakerError,
    CircuitBreakerListener,
    CircuitBreakerState,
)

FAILURE_THRESHOLD = 5  # in a row
OPEN_SECONDS = 1.0  # seconds

log = logging.getLogger(__name__)


class _Down(Exception):
    """A failed call, reported to pybreaker."""


class CallBreaker(CircuitBreakerListener):
    """Circuit breaker: opens after a few failures in a row, then admits one trial call.

    pybreaker's own `call` holds a lock during the call, which would allow one call at a time per
    process. So calls happen outside of it, between `allow_request` and `record_outcome`.
    """

    def __init__(self, name: str, *, pause: float = OPEN_SECONDS) -> None:
        self._pause = pause
        self._lock = threading.Lock()
        # Not pybreaker's own time of opening, which is the wall clock's and may jump.
        self._next_try = 0.0
        self._circuit = CircuitBreaker(
            fail_max=FAILURE_THRESHOLD,
            reset_timeout=pause,
            name=name,
            listeners=[self],
            throw_new_error_on_trip=False,
        )

    @property
    def state(self) -> str:
        """The state: `closed` (healthy), `open` or `half-open`."""
        return self._circuit.current_state

    def allow_request(self) -> bool:
        """Return whether a call may be made now; its outcome must be recorded."""
        with self._lock:
            if self.state == STATE_CLOSED:
                return True
            if self.state == STATE_HALF_OPEN or time.monotonic() < self._next_try:
                return False
            self._circuit.half_open()
            return True

    def record_outcome(self, answers: bool | None) -> None:
        """Record whether a call succeeded; None if it says nothing about the dependency."""
        if answers is None:
            with self._lock:
                if self.state == STATE_HALF_OPEN:
                    self._circuit.open()
            return

        def outcome() -> None:
            if not answers:
                raise _Down

        # Open already: this call began before that, and changes nothing.
        with suppress(_Down, CircuitBreakerError):
            self._circuit.call(outcome)

    def state_change(
        self,
        cb: CircuitBreaker,
        old_state: CircuitBreakerState | None,
        new_state: CircuitBreakerState,
    ) -> None:
        """Record the time of opening, and log the change."""
        if new_state.name == STATE_OPEN:
            self._next_try = time.monotonic() + self._pause
        if new_state.name == STATE_CLOSED:
            log.info("peer recovered", extra={"peer": cb.name})
        elif old_state is not None and old_state.name == STATE_CLOSED:
            log.warning("peer is down", extra={"peer": cb.name, "failures": FAILURE_THRESHOLD})
