"""A small server in place of a component that is slow, fails or recovers."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from labs.server import HOST, serve

Behavior = Callable[[int], tuple[int, float]]
"""Return the status and the delay in seconds of a response, given the number of the request."""


@dataclass
class Peer:
    """A running server; `requests` is the number of requests so far."""

    url: str
    behavior: Behavior
    requests: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def react(self) -> int:
        """Count a request, wait, and return the status of its response."""
        with self._lock:
            self.requests += 1
            status, delay = self.behavior(self.requests)
        time.sleep(delay)
        return status


@contextmanager
def run_peer(behavior: Behavior) -> Iterator[Peer]:
    """Run a server during the block."""
    with serve(lambda request: request.respond(peer.react(), b"{}")) as port:
        peer = Peer(f"http://{HOST}:{port}", behavior)
        yield peer
