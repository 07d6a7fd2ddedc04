"""The monolith on fresh databases: SQLite, and PostgreSQL if the database matters."""

import itertools
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, make_url, text

from forum import database as forum_database
from forum import database_role
from forum.app import create_app
from forum.commands.migrate import upgrade
from forum.database import Database
from forum.settings import ForumSettings
from monolith.tests.support.postgres import cluster
from tests.support.people import SECRET_KEY, SESSION_COOKIE, Keys, Person

MakeSettings = Callable[..., ForumSettings]
Register = Callable[..., Person]

ROLE_PASSWORD = "a password of the test's"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    # Not in pytest's folder, which only its owner may enter, and the server is another.
    with (
        tempfile.TemporaryDirectory(prefix="forum-postgres-") as folder,
        cluster(Path(folder)) as url,
    ):
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a migrated database once; tests copy it."""
    file = tmp_path_factory.mktemp("template") / "forum.db"
    upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgres_template(postgres: str) -> str:
    """Create a migrated database once, and return its name; tests copy it."""
    name = "forum_template"
    _execute(postgres, f"CREATE DATABASE {name}")
    upgrade(f"{postgres}/{name}")
    return name


@pytest.fixture(autouse=True, scope="session")
def patience() -> Iterator[None]:
    """Let requests wait for the database as long as a busy machine may need."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("BUSY_TIMEOUT", "POOL_TIMEOUT"):
            patch.setattr(forum_database, name, 60)
        yield


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """Return each kind of database; tests that don't depend on it override this fixture."""
    return str(request.param)


@pytest.fixture
def url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a migrated, empty database."""
    if backend == "sqlite":
        file = tmp_path / "forum.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), file)
        return f"sqlite:///{file}"
    server = request.getfixturevalue("postgres")
    template = request.getfixturevalue("postgres_template")
    name = f"forum_{next(_numbers)}"
    _execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    return f"{server}/{name}"


@pytest.fixture
def application_url(url: str) -> str:
    """Return the address of the same database for the application, whose role owns nothing."""
    if not url.startswith("postgresql"):
        return url
    database_role.grant(url, ROLE_PASSWORD)
    return make_url(url).set(username=database_role.NAME).render_as_string(hide_password=False)


@pytest.fixture
def new_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a database that was never migrated."""
    if backend == "sqlite":
        return f"sqlite:///{tmp_path / 'new.db'}"
    server, name = request.getfixturevalue("postgres"), f"forum_{next(_numbers)}"
    _execute(server, f"CREATE DATABASE {name}")
    return f"{server}/{name}"


def _execute(server: str, statement: str) -> None:
    engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def make_settings(application_url: str, session_keys: Keys) -> MakeSettings:
    def make(**others) -> ForumSettings:
        return ForumSettings(
            **{
                "database_url": application_url,
                "secret_key": SECRET_KEY,
                "session_public_keys": session_keys.public,
                "session_private_key": session_keys.private,
            }
            | others
        )

    return make


@pytest.fixture
def settings(make_settings: MakeSettings) -> ForumSettings:
    return make_settings(sign_in_limit_per_address=100_000, sign_in_limit_per_name=100_000)


@pytest.fixture
def app(settings: ForumSettings) -> Iterator[Flask]:
    app = create_app(settings)
    yield app
    _dispose(app)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def database(settings: ForumSettings) -> Iterator[Database]:
    database = Database(settings.database_url.get_secret_value())
    yield database
    database.engine.dispose()


@pytest.fixture
def register(app: Flask) -> Register:
    """Return a function that opens an account and signs in, by the API."""

    def register(name: str = "", password: str = "correct horse") -> Person:
        username = name or f"person-{next(_numbers)}"
        client = app.test_client(use_cookies=False)
        body = {"username": username, "password": password}
        made = client.post("/api/users", json=body)
        assert made.status_code == 201, made.json
        session = client.post("/api/users/sessions", json=body)
        assert session.status_code == 201, session.json
        return Person(made.json["id"], username, username, session.json["token"])

    return register


@pytest.fixture
def ada(register: Register) -> Person:
    return register("ada")


@pytest.fixture
def bob(register: Register) -> Person:
    return register("bob")


def _dispose(app: Flask) -> None:
    app.extensions["database"].engine.dispose()


@pytest.fixture
def browser(app: Flask) -> Callable[[Person], FlaskClient]:
    """Return a factory of browsers with a signed-in person."""

    def browser(person: Person) -> FlaskClient:
        client = app.test_client()
        client.set_cookie(SESSION_COOKIE, person.token)
        return client

    return browser


@pytest.fixture
def token_of() -> Callable[[FlaskClient], str]:
    """Return a function that reads the CSRF token of a signed-in person's forms."""

    def token_of(client: FlaskClient) -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/").text)
        assert found
        return found[1]

    return token_of
