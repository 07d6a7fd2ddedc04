"""The real threads and posts services in this process, with counted calls."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask
from werkzeug.serving import make_server

from infra.runner.free_port import free_port
from posts.bootstrap import PostsService
from posts.dynamodb.tables import TABLES as POSTS_TABLES
from posts.settings import PostsSettings
from tests.support.dynamo import Dynamo
from tests.support.people import SECRET_KEY, Keys
from threads.bootstrap import ThreadsService
from threads.dynamodb.tables import TABLES as THREADS_TABLES
from threads.settings import ThreadsSettings


@dataclass
class Services:
    """The services' URLs, their received calls, and their response delays."""

    dynamo: Dynamo
    keys: Keys
    asked: list[str] = field(default_factory=list)
    delay: float = 0  # seconds
    threads_port: int = field(default_factory=free_port)
    posts_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.threads_prefix = self.dynamo.provision(THREADS_TABLES)
        self.posts_prefix = self.dynamo.provision(POSTS_TABLES)
        self.threads_url = f"http://127.0.0.1:{self.threads_port}"
        self.posts_url = f"http://127.0.0.1:{self.posts_port}"

    @contextmanager
    def running(self) -> Iterator["Services"]:
        """Run both services."""
        common: dict[str, Any] = {
            "secret_key": SECRET_KEY,
            "session_public_keys": self.keys.public,
        }
        threads_app = ThreadsService(
            ThreadsSettings(**common, table_prefix=self.threads_prefix, posts_url=self.posts_url)
        ).create_app()
        posts_app = PostsService(
            PostsSettings(**common, table_prefix=self.posts_prefix, threads_url=self.threads_url)
        ).create_app()
        with (
            self._serve("threads", threads_app, self.threads_port),
            self._serve("posts", posts_app, self.posts_port),
        ):
            yield self

    @contextmanager
    def _serve(self, name: str, app: Flask, port: int) -> Iterator[None]:
        inner = app.wsgi_app

        def counted(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            self.asked.append(name)
            time.sleep(self.delay)
            return inner(environ, start)

        app.wsgi_app = counted  # type: ignore[method-assign]
        server = make_server("127.0.0.1", port, app, threaded=True)
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
