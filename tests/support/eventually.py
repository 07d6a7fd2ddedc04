"""Waits for the processing of all events."""

import time
from collections.abc import Iterator

import requests

from tests.support.harness import Stack

PATIENCE = 10.0  # seconds
_LOOK_SECONDS = 0.02


class EventSettling:
    """Observer of a running stage's events, at every component, bypassing the gateway."""

    def __init__(self, stack: Stack) -> None:
        # The monolith alone publishes no events.
        self._urls = stack.urls if stack.config.extracted else {}
        self._http = requests.Session()
        self._http.trust_env = False

    def wait(self, timeout: float = PATIENCE) -> None:
        """Wait until no event is in flight; on failure, report where one is.

        An event may cause another one, so all queues must be empty twice in a row.
        """
        end, quiet = time.monotonic() + timeout, 0
        while quiet < 2:
            behind = list(self.behind())
            quiet = 0 if behind else quiet + 1
            assert time.monotonic() < end or not behind, f"after {timeout} s: {'; '.join(behind)}"
            if behind:
                time.sleep(_LOOK_SECONDS)

    def behind(self) -> Iterator[str]:
        """Yield the pending events of each component."""
        for component, url in self._urls.items():
            status = self._http.get(f"{url}/eventz", timeout=10).json()
            places = ("outbox_age_seconds", "queue_depth", "in_flight")
            left = {place: status[place] for place in places if status[place] != 0}
            assert not status["dead_letters"], (
                f"{component} gave up {status['dead_letters']} events"
            )
            if left:
                yield f"{component}: {left}"
