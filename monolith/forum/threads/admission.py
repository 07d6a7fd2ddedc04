"""Admission of posts to threads, and the threads' counters of posts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from chassis.errors import Conflict
from forum.database import Database
from forum.threads.extracted.remote import RemoteThreads
from forum.threads.extracted.replica import ThreadReplica
from forum.threads.models import ThreadRow
from forum.threads.persistence import insert_placeholder, no_such_thread, require_thread


class ThreadAdmission(Protocol):
    """Admits posts to threads, and updates the counters of their posts.

    `require_known` runs before a transaction, because no transaction may wait for another
    component; the other methods run within one. No transaction that holds a thread's row waits for
    a post's.
    """

    def require_known(self, thread_id: str) -> None:
        """Ensure that the thread is known here.

        Raises:
            NotFound: there is no such thread.
            Unavailable: only the threads service knows, and it is unreachable.
        """

    def admit_post(self, session: Session, thread_id: str) -> None:
        """Admit one more post.

        Raises:
            NotFound: there is no such thread.
            Conflict: it is locked.
        """

    def lock_thread(self, session: Session, thread_id: str, author_id: str, at: datetime) -> None:
        """Lock the thread's row for a post of another component, with this author and time.

        Raises:
            LookupError: there is no row, and no event of the thread will follow.
        """

    def update_counters(
        self, session: Session, thread_id: str, change: int, at: datetime | None
    ) -> None:
        """Change the thread's number of posts and, with `at`, its last activity."""


class _RowAdmission:
    """The methods that don't depend on the owner of threads: each thread has a row."""

    def admit_post(self, session: Session, thread_id: str) -> None:
        """Admit one more post, according to the current row."""
        if require_thread(session, thread_id, locked=True).locked:
            raise Conflict("This thread is locked.", kind="urn:problem:thread-locked")

    def update_counters(
        self, session: Session, thread_id: str, change: int, at: datetime | None
    ) -> None:
        """Change the counters in the post's own transaction."""
        counted = update(ThreadRow).where(ThreadRow.id == thread_id)
        counted = counted.values(post_count=ThreadRow.post_count + change)
        if at:
            # Another post may have been admitted since this one read the clock.
            later = case((ThreadRow.last_activity_at < at, at), else_=ThreadRow.last_activity_at)
            counted = counted.values(last_activity_at=later)
        session.execute(counted.execution_options(synchronize_session=False))


@dataclass(frozen=True)
class OwnedThreadAdmission(_RowAdmission):
    """Threads of the forum's own table."""

    database: Database

    def require_known(self, thread_id: str) -> None:
        """Check that there is such a thread."""
        with self.database.reading() as session:
            require_thread(session, thread_id)

    def lock_thread(self, session: Session, thread_id: str, author_id: str, at: datetime) -> None:  # noqa: ARG002
        """Lock the thread's row."""
        _lock(session, thread_id)


@dataclass(frozen=True)
class ReplicaThreadAdmission(_RowAdmission):
    """Threads of the replica, or of the threads service while the replica lacks them."""

    database: Database
    threads: RemoteThreads
    replica: ThreadReplica

    def require_known(self, thread_id: str) -> None:
        """Fetch the thread from its service and store it, unless it is known."""
        with self.database.reading() as session:
            row = session.get(ThreadRow, thread_id)
            if row and row.version:
                if row.deleted:
                    raise no_such_thread()
                return
        self.replica.store_thread(self.threads.get(thread_id))

    def lock_thread(self, session: Session, thread_id: str, author_id: str, at: datetime) -> None:
        """Lock the thread's row; insert one if its post came first."""
        insert_placeholder(session, thread_id, author_id, at)
        _lock(session, thread_id)


@dataclass(frozen=True)
class MovedThreadAdmission(_RowAdmission):
    """Threads during a move of posts, which may arrive before the events of their threads."""

    def require_known(self, thread_id: str) -> None:
        """Do nothing: the records are authoritative."""

    def lock_thread(self, session: Session, thread_id: str, author_id: str, at: datetime) -> None:
        """Lock the thread's row; insert one if there is none."""
        insert_placeholder(session, thread_id, author_id, at)
        _lock(session, thread_id)


def _lock(session: Session, thread_id: str) -> None:
    locked = select(ThreadRow.id).where(ThreadRow.id == thread_id).with_for_update()
    if session.scalars(locked).one_or_none() is None:
        message = f"there is no thread {thread_id}"
        raise LookupError(message)
