"""A real HTTP server that stands for the threads component."""

import json
from http.server import BaseHTTPRequestHandler

from chassis.clock import uuid7
from tests.servers import Server, reply

PREFIX = "/api/threads/"


class ThreadsServer(Server):
    """Knows the threads that a test begins, until it is stopped."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.asked: list[str] = []
        self.threads: dict[str, bool] = {}
        self.odd: bytes | None = None

    def begin(self) -> str:
        """Begin a thread and give its id."""
        thread_id = uuid7()
        self.threads[thread_id] = False
        return thread_id

    def lock(self, thread_id: str) -> None:
        """Let nobody write in a thread any more."""
        self.threads[thread_id] = True

    def delete(self, thread_id: str) -> None:
        """Forget a thread."""
        del self.threads[thread_id]

    def _answer(self, request: BaseHTTPRequestHandler, _: bytes) -> None:
        self.asked.append(f"{request.command} {request.path}")
        thread_id = request.path.removeprefix(PREFIX)
        locked = self.threads.get(thread_id)
        if self.odd is not None:
            reply(request, 200, self.odd)
        elif locked is None:
            body = {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "No."}
            reply(request, 404, json.dumps(body).encode())
        else:
            body = {"id": thread_id, "title": "T", "locked": locked, "post_count": 1}
            reply(request, 200, json.dumps(body).encode())
