"""Migrations of the database's schema: `python -m forum migrate`.

With `--create` it first creates the database if the PostgreSQL server does not have it. With
`APPLICATION_ROLE_PASSWORD` it also creates the role of the application.
"""

import sys
from collections.abc import Sequence

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, make_url, text

from chassis import settings
from forum import database_role
from forum.schema import MIGRATIONS, MigrationInProgressError
from forum.settings import MigrationSettings


def upgrade(url: str) -> None:
    """Apply the migrations that the database at `url` lacks, after those of another program.

    Raises:
        MigrationInProgressError: another program took too long.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    command.upgrade(config, "head")


def create(url: str) -> None:
    """Create the database at `url` if it is missing, from the server's default database."""
    wanted = make_url(url)
    if wanted.get_backend_name() != "postgresql":
        return  # SQLite creates its file itself
    engine = create_engine(wanted.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        there = text("SELECT 1 FROM pg_database WHERE datname = :name")
        if not connection.scalar(there, {"name": wanted.database}):
            name = engine.dialect.identifier_preparer.quote(wanted.database or "")
            # In UTF-8, whatever the server's default is.
            made = f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0"
            connection.execute(text(made))
    engine.dispose()


def main(arguments: Sequence[str]) -> int:
    """Apply the missing migrations; with `--create`, create the database first."""
    configured = settings.load_settings(MigrationSettings)
    url = configured.database_url.get_secret_value()
    password = configured.application_role_password.get_secret_value()
    if list(arguments) == ["--create"]:
        create(url)
    try:
        upgrade(url)
        if password:
            database_role.grant(url, password)
    except MigrationInProgressError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("The schema is up to date.\n")
    return 0
