"""A small server in place of a component that is slow, fails or recovers."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = "127.0.0.1"

Behavior = Callable[[int], tuple[int, float]]
"""Return the status and the delay in seconds of a response, given the number of the request."""


@dataclass
class Peer:
    """A running server; `received` are the headers of each request, in order."""

    port: int
    behavior: Behavior
    received: list[Mapping[str, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """The address."""
        return f"http://{HOST}:{self.port}"

    def react(self, headers: Mapping[str, str]) -> int:
        """Record a request, wait, and return the status of its response."""
        with self._lock:
            self.received.append(headers)
            status, delay = self.behavior(len(self.received))
        time.sleep(delay)
        return status


@contextmanager
def run_peer(behavior: Behavior) -> Iterator[Peer]:
    """Run a server during the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status = peer.react(dict(self.headers.items()))
            body = b"{}"
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                # The caller has stopped waiting.
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.daemon_threads = True
    peer = Peer(server.server_address[1], behavior)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    try:
        yield peer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
