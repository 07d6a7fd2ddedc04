"""The services and the monolith in this process, on metered databases, without a network."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from chassis.dynamodb.tables import create_tables
from forum.app import create_app
from forum.commands.migrate import upgrade
from forum.database import Database, make_engine
from forum.settings import ForumSettings
from infra import keypair
from infra.domains import SERVICES
from posts.bootstrap import PostsService
from posts.settings import PostsSettings
from threads.bootstrap import ThreadsService
from threads.settings import ThreadsSettings
from users.bootstrap import UsersService
from users.settings import UsersSettings

SECRET = "the bench's own key, of 32 characters or more"  # noqa: S105
_STEPS = 10  # of SQLite's virtual machine between two callbacks
_FOR_OTHERS = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Keys:
    """The keys that sign and verify sessions."""

    private: str
    public: str


def make_keys() -> Keys:
    """Generate the keys."""
    return Keys(*keypair.generate_keypair())


class Services:
    """All three services, on their own tables with a prefix."""

    def __init__(self, prefix: str, keys: Keys) -> None:
        client: Any = boto3.client("dynamodb")
        for domain in SERVICES.values():
            create_tables(client, prefix, domain.tables)
        self.prefix, self.client = prefix, client
        common: dict[str, Any] = {
            "secret_key": SECRET,
            "session_public_keys": keys.public,
            "table_prefix": prefix,
        }
        users = UsersSettings(session_private_key=keys.private, **common)
        threads = ThreadsSettings(posts_url=_FOR_OTHERS, **common)
        posts = PostsSettings(threads_url=_FOR_OTHERS, **common)
        apps: dict[str, Flask] = {
            "users": UsersService(users).create_app(),
            "threads": ThreadsService(threads).create_app(),
            "posts": PostsService(posts).create_app(),
        }
        self._clients = {name: app.test_client(use_cookies=False) for name, app in apps.items()}

    def of(self, path: str) -> FlaskClient:
        """Return the client of the service that serves a path."""
        return self._clients[path.split("?", maxsplit=1)[0].split("/")[2]]


@dataclass
class Asked:
    """The database work of the monolith: statements, and steps of SQLite."""

    statements: int = 0
    steps: int = 0


class Monolith:
    """The monolith on its own SQLite file."""

    def __init__(self, file: Path, keys: Keys) -> None:
        url = f"sqlite:///{file}"
        upgrade(url)
        self.engine = make_engine(url)
        settings = ForumSettings(
            secret_key=SECRET,
            session_public_keys=keys.public,
            session_private_key=keys.private,
            database_url=url,
        )
        self._app: Flask = create_app(settings)
        self._total = Asked()
        database: Database = self._app.extensions["database"]
        event.listen(database.engine, "connect", self._watch)
        event.listen(database.engine, "before_cursor_execute", self._count)
        self._client = self._app.test_client(use_cookies=False)

    def of(self, _path: str) -> FlaskClient:
        """Return the monolith's client, for any path."""
        return self._client

    @contextmanager
    def metered(self) -> Iterator[Asked]:
        """Meter the block; the figures are complete at its end."""
        before, found = Asked(self._total.statements, self._total.steps), Asked()
        yield found
        found.statements = self._total.statements - before.statements
        found.steps = self._total.steps - before.steps

    def close(self) -> None:
        """Close the database."""
        self.engine.dispose()
        self._app.extensions["database"].engine.dispose()

    def _watch(self, connection: Any, _record: object) -> None:
        connection.set_progress_handler(self._step, _STEPS)

    def _step(self) -> int:
        self._total.steps += _STEPS
        return 0

    def _count(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            self._total.statements += 1
