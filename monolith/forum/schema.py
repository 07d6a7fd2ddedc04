"""Version of the database's schema, and the lock under which it changes."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError

from chassis.errors import Unavailable
from forum.database import Database

MIGRATIONS = Path(__file__).with_name("migrations")
NEEDED = max(path.stem.partition("_")[0] for path in (MIGRATIONS / "versions").glob("0*.py"))
"""The version that this revision needs. The numbers that begin the files' names are in order."""
VERSIONS = "alembic_version"
"""Alembic's table of the version that the database has."""

LOCK = 7_263_411_905
"""The number of PostgreSQL's advisory lock, which has no meaning."""
LOCK_SECONDS = 300
"""Maximum wait for another migration."""
LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's code of an exceeded lock_timeout


class MigrationInProgressError(Exception):
    """Another program has been changing the schema for too long."""

    def __init__(self) -> None:
        super().__init__(
            f"another migration of this database has not ended within {LOCK_SECONDS} s;"
            " see what it does, and migrate again"
        )


class SchemaCheck:
    """Check of the database for `/readyz`: it is reachable, and its schema is recent enough.

    A newer schema is fine: migrations are compatible with the previous revision, whose tasks still
    run. Migrations of a running forum only go forward, so the version is read until it suffices.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_recent = False

    def __call__(self) -> None:
        """Check the database.

        Raises:
            Unavailable: it is unreachable, or its schema is behind.
        """
        if self._is_recent:
            self._database.check()
            return
        with self._database.reading() as session:
            found = version(session.connection())
        if found < NEEDED:
            has = f"version {found}" if found else "no version"
            msg = (
                f"The schema has {has}, and this revision needs {NEEDED}:"
                " run `python -m forum migrate`."
            )
            raise Unavailable(msg)
        self._is_recent = True


def version(connection: Connection) -> str:
    """Return the version of the database's schema; empty if it was never migrated."""
    if not inspect(connection).has_table(VERSIONS):
        return ""
    return connection.scalar(text(f"SELECT version_num FROM {VERSIONS}")) or ""  # noqa: S608


def wait_for_lock(connection: Connection) -> None:
    """Wait until no other program changes the schema, and keep them out until the connection ends.

    SQLite needs no lock: a migration is one transaction there, and a database has one writer.

    Raises:
        MigrationInProgressError: another program took too long.
    """
    milliseconds = int(LOCK_SECONDS * 1000)
    if connection.dialect.name == "sqlite":
        raw = connection.connection.driver_connection
        raw.execute(f"PRAGMA busy_timeout = {milliseconds}")  # type: ignore[union-attr]
        return
    try:
        connection.execute(text(f"SET lock_timeout = {milliseconds}"))
        # Of the session: it outlasts transactions, and ends with the connection.
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
        connection.execute(text("RESET lock_timeout"))
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", "") == LOCK_NOT_AVAILABLE:
            raise MigrationInProgressError from error
        raise
    # Otherwise Alembic would leave the commit of its migrations to this transaction.
    connection.commit()
