"""Rows of threads: lookup, versioned writes to the replica, and the search index."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session, lazyload

from chassis import codec
from chassis.clock import clamp_to_present
from chassis.errors import NotFound
from chassis.words import beginnings
from forum.database import insert_into
from forum.threads.models import ThreadRow, ThreadWord
from forum.threads.state import DeletedThreadState, ThreadState


def no_such_thread() -> NotFound:
    """Build the failure for an unknown thread."""
    return NotFound("Thread not found.")


def require_thread(session: Session, thread_id: str, *, locked: bool = False) -> ThreadRow:
    """Return a thread's row; with `locked`, lock it until the end of the transaction.

    Raises:
        NotFound: there is no such thread.
    """
    row = lock_thread(session, thread_id) if locked else session.get(ThreadRow, thread_id)
    if row is None or row.deleted:
        raise no_such_thread()
    return row


def insert_placeholder(session: Session, thread_id: str, author_id: str, at: datetime) -> None:
    """Insert a placeholder that posts can refer to, for a thread that is not known yet.

    It is hidden like a deleted thread, and its version 0 is older than any other. `author_id` and
    `at` are those of a post in it, until an event of the thread arrives.
    """
    row = _deleted(author_id, at) | {
        "id": thread_id,
        "last_activity_at": at,
        "post_count": 0,
        "version": 0,
    }
    session.execute(insert_into(session, ThreadRow).values(row).on_conflict_do_nothing())


def upsert(
    session: Session, thread_id: str, version: int, state: ThreadState, now: datetime
) -> None:
    """Store the state of a thread, unless the stored version is as new."""
    values = codec.attributes(state, ThreadState) | {"deleted": False}
    if _put(session, thread_id, version, values, now):
        index_title(session, thread_id, state.title)


def mark_deleted(
    session: Session, thread_id: str, version: int, state: DeletedThreadState, now: datetime
) -> None:
    """Mark a thread as deleted, unless the stored version is newer."""
    if _put(session, thread_id, version, _deleted(state.author_id, state.created_at), now):
        index_title(session, thread_id, "")


def index_title(session: Session, thread_id: str, title: str) -> None:
    """Index a thread by each place of its title at which a word can begin."""
    session.execute(delete(ThreadWord).where(ThreadWord.thread_id == thread_id))
    session.add_all(ThreadWord(word=one, thread_id=thread_id) for one in beginnings(title))


def lock_thread(session: Session, thread_id: str) -> ThreadRow | None:
    """Lock a thread's row and return its current state."""
    # Without its author: PostgreSQL, after waiting for the row, would look up the new row's author
    # among the old row's, and find none if a placeholder was replaced in the meantime.
    return session.get(
        ThreadRow,
        thread_id,
        options=[lazyload(ThreadRow.author)],
        with_for_update=True,
        populate_existing=True,
    )


def _deleted(author_id: str, created_at: datetime) -> dict[str, Any]:
    return {
        "title": "",
        "author_id": author_id,
        "created_at": created_at,
        "locked": False,
        "deleted": True,
    }


def _put(
    session: Session, thread_id: str, version: int, state: dict[str, Any], now: datetime
) -> bool:
    """Update a row, unless it has this version or a newer one; return whether it was updated."""
    # A clock that is ahead would keep the thread on top of the list.
    began = clamp_to_present(state["created_at"], now)
    new = state | {
        "id": thread_id,
        "last_activity_at": began,
        "post_count": 0,
        "version": version,
    }
    added = insert_into(session, ThreadRow).values(new).on_conflict_do_nothing()
    if session.execute(added.returning(ThreadRow.id)).first():
        return True
    row = lock_thread(session, thread_id)
    if row is None or row.version >= version:
        return False
    for name, value in state.items():
        setattr(row, name, value)
    # The counters of posts stay; posts may have arrived first.
    if row.version == 0:
        row.last_activity_at = max(row.last_activity_at, began)
    row.version = version
    session.flush()
    return True
