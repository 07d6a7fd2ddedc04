"""A real HTTP server with responses defined by a test, in place of other components."""

import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self

Answer = Callable[[BaseHTTPRequestHandler, bytes], None]
"""Handle one request of any method; also gets its body."""


class _Listener(ThreadingHTTPServer):
    # Closing it waits for its threads: one that outlives its test prints into another's output,
    # and on Python 3.11 a traceback can break `ast.parse` in another thread (CPython's gh-106905).
    daemon_threads = False
    request_queue_size = 128  # races connect all at once

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A caller's timeout is no error of the server.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Server:
    """HTTP server on a port of the loopback address, by default a free one."""

    def __init__(self, answer: Answer, *, port: int = 0) -> None:
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._server = _Listener(("127.0.0.1", port), self._handler(answer))
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.server_port

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Stop listening, close every connection and wait for its threads; idempotent."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.socket.close()
            for connection in list(self._open):
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._server.server_close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _handler(self, answer: Answer) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # a response is sent in one piece

            def setup(self) -> None:
                super().setup()
                server.connections += 1
                server._open.add(self.connection)

            def finish(self) -> None:
                server._open.discard(self.connection)
                super().finish()

            def handle_any(self) -> None:
                answer(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def __getattr__(self, name: str) -> Any:
                # http.server looks for do_GET, do_POST, and so on.
                if name.startswith("do_"):
                    return self.handle_any
                raise AttributeError(name)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        return Handler


def reply(
    request: BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    headers: tuple[tuple[str, str], ...] = (),
) -> None:
    """Send one complete response."""
    request.send_response(status)
    request.send_header("Content-Length", str(len(body)))
    for name, value in headers:
        request.send_header(name, value)
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)
