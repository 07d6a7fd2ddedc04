"""What posts ask of threads before they let somebody write in one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from chassis.errors import Conflict
from forum.database import Database
from forum.threads.models import ThreadRow
from forum.threads.persistence import insert_placeholder, no_such_thread, require_thread
from forum.threads.remote import RemoteThreads
from forum.threads.replica import ThreadReplica


class ThreadAdmission(Protocol):
    """Lets posts into threads, and keeps what threads show of their posts.

    `look` is asked before a transaction, since no transaction may wait for another component; all
    else within one. Nobody who holds a thread's row waits for a post's.
    """

    def require_known(self, thread_id: str) -> None:
        """Make sure that the thread is known here.

        Raises:
            NotFound: there is no such thread.
            Unavailable: the other component, which alone knows, does not answer.
        """

    def admit_post(self, session: Session, thread_id: str) -> None:
        """Let one more post in.

        Raises:
            NotFound: there is no such thread.
            Conflict: it is locked.
        """

    def lock_thread(self, session: Session, thread_id: str, author_id: str, at: datetime) -> None:
        """Lock the thread's row for a post of another component: by somebody, of a time.

        Raises:
            LookupError: there is no row, and nobody who would tell of it later.
        """

    def update_counters(
        self, session: Session, thread_id: str, change: int, at: datetime | None
    ) -> None:
        """Keep the thread's number of posts and, with `at`, its last activity."""


class _RowAdmission:
    """What is the same whoever keeps threads: the forum's own table has a row of each."""

    def admit_post(self, session: Session, thread_id: str) -> None:
        """Let one more post in, as the table is now."""
        if require_thread(session, thread_id, locked=True).locked:
            raise Conflict("This thread is locked.", kind="urn:problem:thread-locked")

    def update_counters(
        self, session: Session, thread_id: str, change: int, at: datetime | None
    ) -> None:
        """Keep the counter in the post's own transaction."""
        counted = update(ThreadRow).where(ThreadRow.id == thread_id)
        counted = counted.values(post_count=ThreadRow.post_count + change)
        if at:
            # Another post may have come in since this one looked at the clock.
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
    """Threads of the threads service, as far as events or the service itself have told of them."""

    database: Database
    threads: RemoteThreads
    replica: ThreadReplica

    def require_known(self, thread_id: str) -> None:
        """Ask the threads service, if the thread is not known yet, and keep what it says."""
        with self.database.reading() as session:
            row = session.get(ThreadRow, thread_id)
            if row and row.version:
                if row.deleted:
                    raise no_such_thread()
                return
        self.replica.store_thread(self.threads.get(thread_id))

    def lock_thread(self, session: Session, thread_id: str, author_id: str, at: datetime) -> None:
        """Lock the thread's row, even if its post came here first."""
        insert_placeholder(session, thread_id, author_id, at)
        _lock(session, thread_id)


@dataclass(frozen=True)
class CopyThreadAdmission(_RowAdmission):
    """Threads for whoever copies posts, which may come before their threads are told of."""

    def require_known(self, thread_id: str) -> None:
        """Know nothing better than the rows."""

    def lock_thread(self, session: Session, thread_id: str, author_id: str, at: datetime) -> None:
        """Lock the thread's row, and make one first if there is none."""
        insert_placeholder(session, thread_id, author_id, at)
        _lock(session, thread_id)


def _lock(session: Session, thread_id: str) -> None:
    locked = select(ThreadRow.id).where(ThreadRow.id == thread_id).with_for_update()
    if session.scalars(locked).one_or_none() is None:
        message = f"there is no thread {thread_id}"
        raise LookupError(message)
