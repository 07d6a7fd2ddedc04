"""A users service on fresh tables, and people who registered with it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.dynamo import Dynamo
from tests.support.people import SECRET_KEY, Keys
from users.bootstrap import UsersService
from users.dynamodb.tables import TABLES
from users.settings import UsersSettings

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Member:
    """A registered, signed-in person; `headers` contain the session."""

    id: str
    username: str
    headers: dict[str, str]

    @property
    def path(self) -> str:
        return f"/api/users/{self.id}"


Join = Callable[..., Member]


@pytest.fixture
def settings(dynamo: Dynamo, session_keys: Keys) -> UsersSettings:
    return UsersSettings(
        secret_key=SECRET_KEY,
        session_public_keys=session_keys.public,
        session_private_key=session_keys.private,
        table_prefix=dynamo.provision(TABLES),
    )


@pytest.fixture
def app(settings: UsersSettings) -> Flask:
    return UsersService(settings).create_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client(use_cookies=False)


@pytest.fixture
def join(client: FlaskClient, settings: UsersSettings) -> Join:
    """Return a function that registers a person and signs in."""

    def join(username: str, *, moderator: bool = False, **more: Any) -> Member:
        new = {"username": username, "password": PASSWORD} | more
        made = client.post("/api/users", json=new)
        assert made.status_code == 201, made.json
        if moderator:
            UsersService(settings).users.make_moderator(username)
        opened = client.post(
            "/api/users/sessions", json={"username": username, "password": PASSWORD}
        )
        headers = {"Authorization": f"Bearer {opened.json['token']}"}
        return Member(made.json["id"], username, headers)

    return join


@pytest.fixture
def ada(join: Join) -> Member:
    return join("ada", display_name="Ada")


@pytest.fixture
def bob(join: Join) -> Member:
    return join("bob")


@pytest.fixture
def moderator(join: Join) -> Member:
    return join("mona", moderator=True)
