"""Handling of the signals that stop a run."""

import signal
import time
from types import FrameType


class StopRequested(Exception):
    """A signal requested a stop."""


class Signals:
    """Signal handler that records a signal; `pause` is the only place that acts on it."""

    def __init__(self) -> None:
        self._received = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        # A second signal has no effect: `make` forwards a SIGTERM that may have arrived here.
        self._received = True

    def pause(self, seconds: float) -> None:
        """Sleep; raise StopRequested if a signal arrived."""
        if not self._received:
            time.sleep(seconds)
        if self._received:
            raise StopRequested
