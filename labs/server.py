"""Small HTTP servers of checks, on threads of the check's own process."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

HOST = "127.0.0.1"


class Request(BaseHTTPRequestHandler):
    """A request; `body` is empty for a GET."""

    protocol_version = "HTTP/1.1"
    # Headers and content are two packets; without this, the second one may wait for 40 ms.
    disable_nagle_algorithm = True
    server: "_Server"
    body: bytes

    def respond(
        self,
        status: int,
        content: bytes,
        headers: Iterable[tuple[str, str]] = (("Content-Type", "application/json"),),
    ) -> None:
        """Send a response, unless the caller has stopped waiting."""
        try:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            self.close_connection = True

    def do_GET(self) -> None:
        """React to a request."""
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.react(self)

    do_POST = do_GET  # noqa: N815 - the name of the method

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, react: Callable[[Request], None]) -> None:
        self.react = react
        super().__init__((HOST, 0), Request)


@contextmanager
def serve(react: Callable[[Request], None]) -> Iterator[int]:
    """Serve requests during the block, each by a call of `react`; yield the port."""
    server = _Server(react)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
