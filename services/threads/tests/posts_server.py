"""A real HTTP server in place of the posts component."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

PREFIX = "/api/posts/in-thread/"


class PostsServer:
    """Server of the posts of threads, page by page."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._posts: dict[str, list[dict[str, object]]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def write(self, thread_id: str, author_id: str, *, deleted: bool = False) -> None:
        """Add a post to a thread."""
        post = {"author": {"id": author_id, "display_name": "?"}, "deleted": deleted}
        self._posts.setdefault(thread_id, []).append(post)

    def stop(self) -> None:
        """Stop the server; idempotent."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def __enter__(self) -> "PostsServer":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _answer(self, path: str) -> tuple[int, dict[str, object]]:
        self.asked.append(path)
        target = urlsplit(path)
        posts = self._posts.get(target.path.removeprefix(PREFIX))
        if posts is None:
            return 404, {"title": "Not Found", "status": 404, "detail": "Thread not found."}
        query = parse_qs(target.query)
        start, limit = int(query.get("cursor", ["0"])[0]), int(query["limit"][0])
        end = start + limit
        return 200, {"items": posts[start:end], "next": str(end) if end < len(posts) else None}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self._answer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, content = answer(self.path)
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Log nothing."""

        return Handler
