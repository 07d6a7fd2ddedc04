"""Signals that ask a run to stop."""

import signal
import time
from types import FrameType


class StopRequested(Exception):
    """Somebody asked us to stop."""


class Signals:
    """Notes a signal; whoever waits does so by `pause`, the only place that acts on it."""

    def __init__(self) -> None:
        self._received = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        # A second one changes nothing: `make` passes on a SIGTERM that may have come here as well.
        self._received = True

    def pause(self, seconds: float) -> None:
        """Sleep; raise StopAskedError if a signal came."""
        if not self._received:
            time.sleep(seconds)
        if self._received:
            raise StopRequested
