"""What posts ask of threads before they let somebody write in one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import case, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from chassis.errors import Conflict, NotFound
from forum.database import Database
from forum.threads.models import ThreadRow
from forum.threads.port import Thread
from forum.threads.remote import RemoteThreads
from forum.users.models import UserRow


class ThreadGate(Protocol):
    """Lets posts into threads.

    `look` is asked before a transaction, since no transaction may wait for another component;
    `enter` within it, with what `look` learned.
    """

    def look(self, thread_id: str) -> Thread | None:
        """Learn about a thread what only another component knows.

        Raises:
            NotFound: there is no such thread.
            Unavailable: the other component does not answer.
        """

    def enter(self, session: Session, thread_id: str, learned: Thread | None) -> None:
        """Let one more post in.

        Raises:
            NotFound: there is no such thread.
            Conflict: it is locked.
        """

    def count(self, session: Session, thread_id: str, change: int, now: datetime | None) -> None:
        """Keep the thread's number of posts and, with `now`, its last activity."""


@dataclass(frozen=True)
class OwnThreads:
    """Threads of the forum's own table."""

    database: Database

    def look(self, thread_id: str) -> Thread | None:
        """Check that there is such a thread."""
        with self.database.reading() as session:
            _existing(session, thread_id)
        return None

    def enter(self, session: Session, thread_id: str, learned: Thread | None) -> None:  # noqa: ARG002
        """Let one more post in, as the table is now."""
        if _existing(session, thread_id, locked=True).locked:
            raise locked()

    def count(self, session: Session, thread_id: str, change: int, now: datetime | None) -> None:
        """Keep the counter in the post's own transaction."""
        counted = update(ThreadRow).where(ThreadRow.id == thread_id)
        counted = counted.values(post_count=ThreadRow.post_count + change)
        if now:
            # Another post may have come in since this one looked at the clock.
            later = case((ThreadRow.last_activity_at < now, now), else_=ThreadRow.last_activity_at)
            counted = counted.values(last_activity_at=later)
        session.execute(counted.execution_options(synchronize_session=False))


@dataclass(frozen=True)
class ReplicaThreads:
    """Threads of the threads service, kept here as far as joins and foreign keys need them."""

    threads: RemoteThreads

    def look(self, thread_id: str) -> Thread | None:
        """Ask the threads service."""
        return self.threads.get(thread_id)

    def enter(self, session: Session, thread_id: str, learned: Thread | None) -> None:
        """Let one more post in, as the service has just told."""
        if learned is None:
            raise no_such_thread()
        if learned.locked:
            raise locked()
        dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
        author = {
            "id": learned.author.id,
            "username": "",
            "username_key": None,
            "display_name": learned.author.display_name,
            "bio": "",
            "role": "member",
            "suspended": False,
            "erased": False,
            "created_at": learned.created_at,
            # Older than anything that the person's session or an event will tell.
            "version": 0,
        }
        session.execute(dialect.insert(UserRow).values(author).on_conflict_do_nothing())
        known = {
            "title": learned.title,
            "locked": learned.locked,
            "last_activity_at": learned.last_activity_at,
            "post_count": learned.post_count,
            "version": learned.version,
        }
        row = known | {
            "id": thread_id,
            "author_id": learned.author.id,
            "created_at": learned.created_at,
            "deleted": False,
        }
        session.execute(
            dialect.insert(ThreadRow)
            .values(row)
            .on_conflict_do_update(index_elements=["id"], set_=known)
        )

    def count(self, session: Session, thread_id: str, change: int, now: datetime | None) -> None:
        """Leave the counter to the service, which keeps it."""


def no_such_thread() -> NotFound:
    """Say that there is no such thread."""
    return NotFound("There is no such thread.")


def locked() -> Conflict:
    """Say that a thread is locked."""
    return Conflict("This thread is locked.", kind="urn:problem:thread-locked")


def _existing(session: Session, thread_id: str, *, locked: bool = False) -> ThreadRow:
    lock = {"of": ThreadRow} if locked else None
    row = session.get(ThreadRow, thread_id, with_for_update=lock, populate_existing=locked)
    if row is None or row.deleted:
        raise no_such_thread()
    return row
