"""A proxy in front of DynamoDB that delays writes, so that racing requests really race."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = "127.0.0.1"
_WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem")
_KEPT = {"content-type", "x-amz-target", "x-amz-date", "authorization", "x-amzn-requestid"}


@dataclass
class SlowWrites:
    """A running proxy; `delay` is in seconds, for each write."""

    port: int
    delay: float = 0.0
    most_at_once: int = 0
    """The largest number of writes that were waiting at the same time."""

    _waiting: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def delayed(self, seconds: float) -> Iterator[None]:
        """Delay writes within the block, and count anew how many wait at once."""
        self.most_at_once, self.delay = 0, seconds
        try:
            yield
        finally:
            self.delay = 0.0

    def wait(self) -> None:
        """Wait as long as a write has to."""
        if not self.delay:
            return
        with self._lock:
            self._waiting += 1
            self.most_at_once = max(self.most_at_once, self._waiting)
        time.sleep(self.delay)
        with self._lock:
            self._waiting -= 1


@contextmanager
def run_proxy(target: int) -> Iterator[SlowWrites]:
    """Run a proxy to the DynamoDB at the port `target`, during the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            if operation in _WRITES:
                proxy.wait()
            connection = http.client.HTTPConnection(HOST, target, timeout=10)
            try:
                headers = {n: v for n, v in self.headers.items() if n.lower() in _KEPT}
                connection.request("POST", self.path, body, headers)
                response = connection.getresponse()
                answer = response.read()
            finally:
                connection.close()
            self.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() in _KEPT | {"x-amz-crc32"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.daemon_threads = True
    proxy = SlowWrites(server.server_address[1])
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
