"""A real HTTP server in place of the posts component."""

import json
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from tests.support.servers import Server, reply

PREFIX = "/api/posts/in-thread/"


class PostsServer(Server):
    """Server of the posts of threads, page by page."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.asked: list[str] = []
        self._posts: dict[str, list[dict[str, object]]] = {}

    def write(self, thread_id: str, author_id: str, *, deleted: bool = False) -> None:
        """Add a post to a thread."""
        post = {"author": {"id": author_id, "display_name": "?"}, "deleted": deleted}
        self._posts.setdefault(thread_id, []).append(post)

    def _answer(self, request: BaseHTTPRequestHandler, _: bytes) -> None:
        self.asked.append(request.path)
        status, content = self._page(request.path)
        reply(request, status, json.dumps(content).encode())

    def _page(self, path: str) -> tuple[int, dict[str, object]]:
        target = urlsplit(path)
        posts = self._posts.get(target.path.removeprefix(PREFIX))
        if posts is None:
            return 404, {"title": "Not Found", "status": 404, "detail": "Thread not found."}
        query = parse_qs(target.query)
        start, limit = int(query.get("cursor", ["0"])[0]), int(query["limit"][0])
        end = start + limit
        return 200, {"items": posts[start:end], "next": str(end) if end < len(posts) else None}
