"""A posts service on fresh tables, and a threads component that tests fill."""

from collections.abc import Callable, Iterator
from functools import cache

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.dynamodb.database import Database
from chassis.messaging.dynamodb_outbox import DynamoOutbox
from chassis.messaging.events import Event, parse_event
from posts.bootstrap import PostsService
from posts.dynamodb.tables import TABLES
from posts.event_handlers import EventHandlers
from posts.settings import PostsSettings
from services.posts.tests.crowd import Crowd, make
from services.posts.tests.threads_server import ThreadsServer
from tests.support import schemas
from tests.support.dynamo import Dynamo
from tests.support.people import SECRET_KEY, Keys, Person

Write = Callable[..., str]
Tell = Callable[..., None]
Recorded = Callable[[], list[Event]]


@pytest.fixture
def threads() -> Iterator[ThreadsServer]:
    with ThreadsServer() as server:
        yield server


@pytest.fixture
def settings(dynamo: Dynamo, session_keys: Keys, threads: ThreadsServer) -> PostsSettings:
    return PostsSettings(
        secret_key=SECRET_KEY,
        session_public_keys=session_keys.public,
        table_prefix=dynamo.provision(TABLES),
        threads_url=threads.url,
    )


@pytest.fixture
def app(settings: PostsSettings) -> Flask:
    return PostsService(settings).create_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def database(dynamo: Dynamo, settings: PostsSettings) -> Database:
    return dynamo.database(settings.table_prefix)


@pytest.fixture
def outbox(settings: PostsSettings) -> DynamoOutbox:
    return PostsService(settings).outbox


@pytest.fixture
def tell(database: Database, outbox: DynamoOutbox) -> Tell:
    """Return a function that applies events like a worker, in a queue's format."""
    handlers = EventHandlers(database, outbox).handlers()

    def tell(*events: Event) -> None:
        for event in events:
            handlers[event.type](parse_event(event.to_json()))

    return tell


@pytest.fixture
def recorded(outbox: DynamoOutbox) -> Recorded:
    """Return a function that reads unpublished events in order, and validates their schemas."""

    def recorded() -> list[Event]:
        waiting = sorted(outbox.load_unpublished(100), key=lambda event: event.id)
        for event in waiting:
            schemas.validate(event)
            assert event.source == "/posts"
        return waiting

    return recorded


@pytest.fixture(scope="session")
def crowds(dynamo: Dynamo, session_keys: Keys) -> Callable[[int], Crowd]:
    """Return a factory of services with a number of posts in one thread, cached by number."""

    @cache
    def crowd(count: int) -> Crowd:
        settings = PostsSettings(
            secret_key=SECRET_KEY,
            session_public_keys=session_keys.public,
            table_prefix=dynamo.provision(TABLES),
            threads_url="http://threads.invalid",
        )
        return make(
            PostsService(settings).create_app().test_client(), dynamo, settings.table_prefix, count
        )

    return crowd


@pytest.fixture(params=[100, 1_000])
def crowd(crowds: Callable[[int], Crowd], request: pytest.FixtureRequest) -> Crowd:
    return crowds(request.param)


@pytest.fixture
def thread(threads: ThreadsServer) -> str:
    """The id of an existing thread without an event so far."""
    return threads.begin()


@pytest.fixture
def write(client: FlaskClient, ada: Person, thread: str) -> Write:
    """Return a function that writes a post, by default as Ada, and returns its id."""

    def write(body: str = "Hello", person: Person = ada, thread_id: str = thread) -> str:
        made = client.post(
            "/api/posts", json={"thread_id": thread_id, "body": body}, headers=person.headers
        )
        assert made.status_code == 201, made.json
        return made.json["id"]

    return write
