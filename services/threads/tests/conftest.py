"""A threads service on fresh tables, and a posts component that tests fill."""

from collections.abc import Callable, Iterator
from functools import cache

import pytest
from flask import Flask
from flask.testing import FlaskClient

from services.threads.tests.crowd import Crowd, fill
from services.threads.tests.posts_server import PostsServer
from tests.dynamo import Dynamo
from tests.people import SECRET_KEY, Keys, Person, SignIn
from threads.app import create_app
from threads.settings import ThreadsSettings
from threads.tables import TABLES

Begin = Callable[..., str]


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
    return create_app(settings)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="session")
def crowds(dynamo: Dynamo, session_keys: Keys) -> Callable[[int], Crowd]:
    """Give a service with so many threads, the same one each time."""

    @cache
    def crowd(count: int) -> Crowd:
        settings = ThreadsSettings(
            secret_key=SECRET_KEY,
            session_public_keys=session_keys.public,
            table_prefix=dynamo.provision(TABLES),
            posts_url="http://posts.invalid",
        )
        threads, names = fill(dynamo, settings.table_prefix, count)
        return Crowd(create_app(settings).test_client(), count, threads, names)

    return crowd


@pytest.fixture(params=[100, 10_000])
def crowd(crowds: Callable[[int], Crowd], request: pytest.FixtureRequest) -> Crowd:
    return crowds(request.param)


@pytest.fixture
def ada(sign_in: SignIn) -> Person:
    return sign_in("Ada")


@pytest.fixture
def bob(sign_in: SignIn) -> Person:
    return sign_in("Bob")


@pytest.fixture
def moderator(sign_in: SignIn) -> Person:
    return sign_in("Mo", role="moderator")


@pytest.fixture
def begin(client: FlaskClient, ada: Person) -> Begin:
    """Begin a thread, as Ada unless told otherwise, and give its id."""

    def begin(title: str, person: Person = ada) -> str:
        made = client.post("/api/threads", json={"title": title}, headers=person.headers)
        assert made.status_code == 201, made.json
        return made.json["id"]

    return begin
