"""The one SQL database: SQLite by default, PostgreSQL by its URL."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from sqlalchemy import (
    Connection,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    String,
    TypeDecorator,
    create_engine,
    event,
    make_url,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session

from chassis.errors import Unavailable

BUSY_TIMEOUT = 5  # maximum wait of a write for another one, in seconds
POOL_TIMEOUT = 3  # maximum wait of a request for a connection to PostgreSQL, in seconds

# Ids sort by time only if they are compared byte by byte, not by a language's collation.
Id = String(36).with_variant(String(36, collation="C"), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """A timezone-aware UTC datetime; SQLite, which has no time zones, stores it as naive."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> datetime | None:
        """Store UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> datetime | None:
        """Read UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The base of all models; constraints have names, so that migrations can drop them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Database:
    """Sessions on the database, for reading and for writing."""

    def __init__(self, url: str) -> None:
        self.engine = make_engine(url)
        self._writing = self.engine.execution_options(writing=True)
        self._turn = Lock() if self.engine.dialect.name == "sqlite" else None

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a read-only session on one snapshot of the database.

        Raises:
            Unavailable: the database is unreachable.
        """
        with _translate_outages(), Session(self.engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a transaction that is committed at the end, or rolled back by an exception.

        Raises:
            Unavailable: the database is unreachable or stays locked.
        """
        with (
            _translate_outages(),
            self._writer_turn(),
            Session(self._writing, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def _writer_turn(self) -> Iterator[None]:
        """Serialize the writes of the process's threads if the database has a single writer.

        SQLite's waiters poll, so one of many could wait for a long time.
        """
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=BUSY_TIMEOUT):
            raise _unavailable()
        try:
            yield
        finally:
            self._turn.release()

    def check(self) -> None:
        """Check that the database is reachable.

        Raises:
            Unavailable: it is not.
        """
        with self.reading() as session:
            session.execute(text("SELECT 1"))


def insert_into(session: Session, model: type[Base]) -> "postgresql.Insert | sqlite.Insert":
    """Build an INSERT that supports ON CONFLICT."""
    on_postgresql = session.get_bind().dialect.name == "postgresql"
    return postgresql.insert(model) if on_postgresql else sqlite.insert(model)


def update_version(
    session: Session, model: type[Base], record: Mapping[str, Any], changed: Mapping[str, Any]
) -> bool:
    """Change the row of a record that was read, if it still has the record's version.

    Return whether it was changed.
    """
    row: Any = model
    unchanged = (row.id == record["id"], row.version == record["version"])
    changing = update(model).where(*unchanged).values(changed).returning(row.id)
    return session.execute(changing).first() is not None


def make_engine(url: str) -> Engine:
    """Build the engine, without opening a connection."""
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(
            url,
            pool_pre_ping=True,
            pool_size=16,
            pool_timeout=POOL_TIMEOUT,
            hide_parameters=True,
        )
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT}, hide_parameters=True)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # Disables sqlite3's implicit transactions; `_begin_sqlite` begins them explicitly.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later fails if another one wrote in between; one
    # that takes the write lock at once waits for it instead.
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


@contextmanager
def _translate_outages() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except OperationalError as error:
        raise _unavailable() from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _unavailable() from error
        raise


def _unavailable() -> Unavailable:
    return Unavailable("The database is temporarily unavailable.")
