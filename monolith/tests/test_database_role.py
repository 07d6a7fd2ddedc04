"""The role of the application: it uses the tables that the owner made, and changes no schema.

All other tests on PostgreSQL run the application with it, too (`application_url`).
"""

import pytest
from sqlalchemy import create_engine, inspect, make_url, text
from sqlalchemy.exc import ProgrammingError

from forum import database_role
from forum.commands import migrate
from forum.database import make_engine

ROWS = {"SELECT", "INSERT", "UPDATE", "DELETE"}
REFUSED = (
    "CREATE TABLE extra (id integer)",
    "CREATE TEMPORARY TABLE extra (id integer)",
    "CREATE SCHEMA extra",
    "CREATE ROLE extra",
    "ALTER TABLE users ADD COLUMN extra integer",
    "DROP TABLE outbox",
    "TRUNCATE outbox",
    "CREATE INDEX extra ON users (id)",
    "UPDATE alembic_version SET version_num = '0001'",
    "DELETE FROM alembic_version",
)


@pytest.fixture
def backend():
    return "postgresql"


@pytest.fixture
def engine(application_url):
    engine = make_engine(application_url)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("statement", REFUSED)
def test_application_may_not_change_the_schema(engine, statement):
    with engine.connect() as connection, pytest.raises(ProgrammingError, match=r"permission|owner"):
        connection.execute(text(statement))


def test_application_has_exactly_the_rights_on_rows(url, engine):
    query = text(
        "SELECT privilege_type FROM information_schema.role_table_grants"
        " WHERE grantee = :role AND table_name = :table"
    )
    owner = make_engine(url)
    with owner.connect() as connection:
        for table in inspect(connection).get_table_names():
            parameters = {"role": database_role.NAME, "table": table}
            found = set(connection.scalars(query, parameters))
            assert found == ({"SELECT"} if table == "alembic_version" else ROWS), table
    owner.dispose()


def test_table_of_a_later_migration_is_usable_at_once(url, engine):
    owner = make_engine(url)
    with owner.begin() as connection:
        connection.execute(text("CREATE TABLE later (id serial PRIMARY KEY, word text)"))
    owner.dispose()
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO later (word) VALUES ('new')"))
        assert connection.execute(text("SELECT id, word FROM later")).all() == [(1, "new")]


def test_migration_sets_the_role_s_password_and_changes_it(url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", url)
    query = text("SELECT rolpassword FROM pg_authid WHERE rolname = :role")
    seen = []
    for password in ("first", "second"):
        monkeypatch.setenv("APPLICATION_ROLE_PASSWORD", password)
        assert migrate.main([]) == 0
        engine = create_engine(make_url(url))
        with engine.connect() as connection:
            seen.append(connection.scalar(query, {"role": database_role.NAME}))
        engine.dispose()
    assert all(each.startswith("SCRAM-SHA-256$") for each in seen)
    assert seen[0] != seen[1]
