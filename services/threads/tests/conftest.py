"""A threads service on fresh tables, and a posts component that tests fill."""

from collections.abc import Callable, Iterator
from functools import cache

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.dynamodb.database import Database
from chassis.messaging.dynamodb_outbox import DynamoOutbox
from chassis.messaging.events import Event, parse_event
from services.threads.tests.crowd import Crowd, fill
from services.threads.tests.posts_server import PostsServer
from tests.support import schemas
from tests.support.dynamo import Dynamo
from tests.support.people import SECRET_KEY, Keys, Person
from threads.bootstrap import ThreadsService
from threads.dynamodb.tables import TABLES
from threads.event_handlers import EventHandlers
from threads.settings import ThreadsSettings

Begin = Callable[..., str]
Tell = Callable[..., None]
Recorded = Callable[[], list[Event]]


@pytest.fixture
def posts() -> Iterator[PostsServer]:
    with PostsServer() as server:
        yield server


@pytest.fixture
def settings(dynamo: Dynamo, session_keys: Keys, posts: PostsServer) -> ThreadsSettings:
    return ThreadsSettings(
        secret_key=SECRET_KEY,
        session_public_keys=session_keys.public,
        table_prefix=dynamo.provision(TABLES),
        posts_url=posts.url,
    )


@pytest.fixture
def app(settings: ThreadsSettings) -> Flask:
    return ThreadsService(settings).create_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def database(dynamo: Dynamo, settings: ThreadsSettings) -> Database:
    return dynamo.database(settings.table_prefix)


@pytest.fixture
def outbox(settings: ThreadsSettings) -> DynamoOutbox:
    return ThreadsService(settings).outbox


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
            assert event.source == "/threads"
        return waiting

    return recorded


@pytest.fixture(scope="session")
def crowds(dynamo: Dynamo, session_keys: Keys) -> Callable[[int], Crowd]:
    """Return a factory of services with a number of threads, cached by number."""

    @cache
    def crowd(count: int) -> Crowd:
        settings = ThreadsSettings(
            secret_key=SECRET_KEY,
            session_public_keys=session_keys.public,
            table_prefix=dynamo.provision(TABLES),
            posts_url="http://posts.invalid",
        )
        threads, names = fill(dynamo, settings.table_prefix, count)
        return Crowd(ThreadsService(settings).create_app().test_client(), count, threads, names)

    return crowd


@pytest.fixture(params=[100, 1_000])
def crowd(crowds: Callable[[int], Crowd], request: pytest.FixtureRequest) -> Crowd:
    return crowds(request.param)


@pytest.fixture
def begin(client: FlaskClient, ada: Person) -> Begin:
    """Return a function that starts a thread, by default as Ada, and returns its id."""

    def begin(title: str, person: Person = ada) -> str:
        made = client.post("/api/threads", json={"title": title}, headers=person.headers)
        assert made.status_code == 201, made.json
        return made.json["id"]

    return begin
