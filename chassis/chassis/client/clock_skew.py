"""Difference between the clock of a peer and this one, as far as its responses prove it."""

import logging
import threading
from collections.abc import Callable

from werkzeug.http import parse_date

from chassis.clock import CLOCK_SKEW

WARNING_INTERVAL = 60.0  # seconds
_DATE_RESOLUTION = 1.0  # seconds; the header has the second in which the response was made

log = logging.getLogger(__name__)


class ClockSkew:
    """The clock difference that the latest response of a peer proves.

    The peer set the `Date` header between the sending of the request and the arrival of the
    response. The result is therefore a lower bound: no slow network and no slow peer can cause one.
    """

    def __init__(self, peer: str, now: Callable[[], float]) -> None:
        self.seconds = 0.0
        """Positive if the peer is ahead, negative if it is behind, 0 if neither is proven."""
        self._peer = peer
        self._now = now
        self._lock = threading.Lock()
        self._warned_at: float | None = None

    def record(self, date: str | None, sent: float, received: float) -> None:
        """Compare the `Date` header of a response with the local times around it."""
        moment = parse_date(date)
        if moment is None:
            return
        stamped = moment.timestamp()
        self.seconds = max(0.0, stamped - received) or min(0.0, stamped + _DATE_RESOLUTION - sent)
        if abs(self.seconds) > CLOCK_SKEW and self._warning_is_due():
            log.warning(
                "clocks differ",
                extra={
                    "peer": self._peer,
                    "peer_clock": "ahead" if self.seconds > 0 else "behind",
                    "clock_skew_seconds": round(abs(self.seconds), 3),
                },
            )

    def _warning_is_due(self) -> bool:
        now = self._now()
        with self._lock:
            # Not only later: this clock may have been set back.
            due = self._warned_at is None or abs(now - self._warned_at) >= WARNING_INTERVAL
            if due:
                self._warned_at = now
            return due
