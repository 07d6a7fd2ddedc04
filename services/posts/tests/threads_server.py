"""A real HTTP server in place of the threads component."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

from chassis.clock import uuid7
from tests.support.servers import Server, reply

PREFIX = "/api/threads/"


class ThreadsServer(Server):
    """Server of the threads that a test creates."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.asked: list[str] = []
        self._threads: dict[str, tuple[int, bool]] = {}
        self.meanwhile: Callable[[], None] = lambda: None
        """Hook that runs while a response with the previous state is on its way."""
        self.odd: bytes | None = None
        self.odd_headers: tuple[tuple[str, str], ...] = (("ETag", '"1"'),)

    def begin(self) -> str:
        """Create a thread and return its id."""
        thread_id = uuid7()
        self._threads[thread_id] = (1, False)
        return thread_id

    def lock(self, thread_id: str) -> None:
        """Lock a thread."""
        self._threads[thread_id] = (self._threads[thread_id][0] + 1, True)

    def delete(self, thread_id: str) -> None:
        """Delete a thread."""
        del self._threads[thread_id]

    def _answer(self, request: BaseHTTPRequestHandler, _: bytes) -> None:
        self.asked.append(f"{request.command} {request.path}")
        thread_id = request.path.removeprefix(PREFIX)
        version, locked = self._threads.get(thread_id, (0, False))
        self.meanwhile()
        if self.odd is not None:
            reply(request, 200, self.odd, self.odd_headers)
        elif not version:
            body = {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "No."}
            reply(request, 404, json.dumps(body).encode())
        else:
            body = {"id": thread_id, "title": "T", "locked": locked, "post_count": 1}
            reply(request, 200, json.dumps(body).encode(), (("ETag", f'"{version}"'),))
