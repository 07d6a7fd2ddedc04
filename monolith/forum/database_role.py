"""The role with which the application uses PostgreSQL: it reads and writes rows, and no more.

The owner of the database migrates it, and grants the role its rights afterwards.
"""

import psycopg
from psycopg import sql

from forum.database import make_engine
from forum.schema import VERSIONS, wait_for_lock

NAME = "forum_app"
_ROLE = sql.Identifier(NAME)
_ROWS = sql.SQL("SELECT, INSERT, UPDATE, DELETE")


def grant(url: str, password: str) -> None:
    """Create the role in the database of `url`, or bring its password and rights up to date.

    Raises:
        MigrationInProgressError: another migration took too long.
    """
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            # Of two that change the same rights at once, PostgreSQL would refuse one.
            wait_for_lock(connection)
            raw = connection.connection.driver_connection
            assert isinstance(raw, psycopg.Connection)  # noqa: S101
            with raw.transaction():
                _create(raw, password)
                _grant(raw)
    finally:
        engine.dispose()


def _create(connection: psycopg.Connection, password: str) -> None:
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [NAME]).fetchone():
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(_ROLE))
    # Not the password itself, which could appear in the server's log.
    verifier = connection.pgconn.encrypt_password(
        password.encode(), NAME.encode(), b"scram-sha-256"
    ).decode()
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(_ROLE, sql.Literal(verifier)))


def _grant(connection: psycopg.Connection) -> None:
    database = sql.Identifier(connection.info.dbname)
    public = sql.SQL("public")
    for statement in (
        "REVOKE ALL ON DATABASE {database} FROM PUBLIC",
        "GRANT CONNECT ON DATABASE {database} TO {role}",
        # Databases that were made before PostgreSQL 15 let everybody create tables.
        "REVOKE CREATE ON SCHEMA {public} FROM PUBLIC",
        "GRANT USAGE ON SCHEMA {public} TO {role}",
        "GRANT {rows} ON ALL TABLES IN SCHEMA {public} TO {role}",
        "REVOKE INSERT, UPDATE, DELETE ON {versions} FROM {role}",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA {public} TO {role}",
        # Tables of later migrations have these rights as soon as they exist.
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {public} GRANT {rows} ON TABLES TO {role}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {public} GRANT USAGE ON SEQUENCES TO {role}",
    ):
        connection.execute(
            sql.SQL(statement).format(
                database=database,
                public=public,
                role=_ROLE,
                rows=_ROWS,
                versions=sql.Identifier(VERSIONS),
            )
        )
