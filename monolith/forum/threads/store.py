"""Use cases of threads on the forum's own database."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from chassis.clock import Clock, NewId
from chassis.concurrency import Precondition, require_current
from chassis.errors import Conflict, Forbidden
from chassis.idempotency.keys import (
    DuplicateIdempotencyKey,
    IdempotencyKey,
    require_stored_response,
)
from forum import idempotency
from forum.outbox import Recorder
from forum.threads import events
from forum.threads.models import ThreadRow
from forum.threads.persistence import index_title, require_thread
from forum.threads.queries import ThreadQueries
from forum.threads.sole_author import SoleAuthorCheck
from forum.threads.state import Thread
from forum.users.actors import Actor, Actors
from forum.users.port import Identity
from forum.users.rules import MODERATOR


@dataclass(frozen=True)
class SqlThreads(ThreadQueries):
    """The use cases of threads.

    `actors` and `sole_author_check` return the implementation for the current owner of users and of
    posts.
    """

    actors: Callable[[], Actors]
    sole_author_check: Callable[[], SoleAuthorCheck]
    clock: Clock
    new_id: NewId
    recorder: Recorder

    def create(
        self, identity: Identity, title: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Start a thread, and return its public view.

        Raises:
            IdempotencyKeyReused: the idempotency key was used for another request.
        """
        now = self.clock()
        with self.database.reading() as session:
            if response := idempotency.find_response(session, key, now):
                return response
        try:
            with self.database.writing() as session:
                actor = self.actors().authorize_writer(session, identity)
                thread = Thread(
                    id=self.new_id(),
                    title=title,
                    author=actor.author,
                    created_at=now,
                    last_activity_at=now,
                    post_count=0,
                    locked=False,
                    version=1,
                )
                idempotency.store_response(session, key, thread.public_view(), now)
                row = ThreadRow(
                    id=thread.id,
                    title=title,
                    author_id=actor.id,
                    created_at=now,
                    last_activity_at=now,
                    post_count=0,
                    locked=False,
                    deleted=False,
                    version=1,
                )
                session.add(row)
                session.flush()
                index_title(session, thread.id, title)
                self._record(session, events.CREATED, row)
        except DuplicateIdempotencyKey:
            with self.database.reading() as session:
                return require_stored_response(idempotency.find_response(session, key, now))
        return thread.public_view()

    def change(
        self, identity: Identity, thread_id: str, changes: dict[str, Any], expected: Precondition
    ) -> Thread:
        """Change a thread: its title by the author, title and lock by a moderator.

        Raises:
            Forbidden, NotFound, PreconditionFailed: as their names say.
        """
        with self.database.writing() as session:
            actor = self.actors().authorize_writer(session, identity)
            row = require_thread(session, thread_id, locked=True)
            if actor.role != MODERATOR and actor.id != row.author_id:
                detail = "Only the author or a moderator may change this thread."
                raise Forbidden(detail)
            if "locked" in changes and actor.role != MODERATOR:
                detail = "Only a moderator may lock or unlock a thread."
                raise Forbidden(detail)
            require_current(row.version, expected)
            for name, value in changes.items():
                setattr(row, name, value)
            row.version += 1
            if "title" in changes:
                index_title(session, row.id, row.title)
            session.flush()
            self._record(session, events.UPDATED, row)
            return row.to_thread()

    def delete(self, identity: Identity, thread_id: str, expected: Precondition) -> None:
        """Delete a thread, as a moderator, or as its author while alone in it.

        Raises:
            Forbidden, NotFound, PreconditionFailed: as their names say.
            Conflict: others wrote in it.
        """
        with self.database.reading() as session:
            own = require_thread(session, thread_id).author_id == identity.subject
        check = self.sole_author_check()
        # Only an author must be alone, so only then is the call needed.
        prefetched = check.prefetch(thread_id, identity.subject) if own else None
        with self.database.writing() as session:
            actor = self.actors().authorize_writer(session, identity)
            row = require_thread(session, thread_id, locked=True)
            self._require_permission(session, actor, row, check, prefetched)
            require_current(row.version, expected)
            row.deleted = True
            row.version += 1
            index_title(session, row.id, "")
            self._record(session, events.DELETED, row)

    def _record(self, session: Session, kind: str, row: ThreadRow) -> None:
        self.recorder.record(session, kind, row.id, row.version, events.event_data(row))

    def _require_permission(
        self,
        session: Session,
        actor: Actor,
        row: ThreadRow,
        check: SoleAuthorCheck,
        prefetched: bool | None,
    ) -> None:
        if actor.role == MODERATOR:
            return
        if actor.id != row.author_id:
            detail = "Only the author or a moderator may delete this thread."
            raise Forbidden(detail)
        if check.others_wrote(session, row.id, row.author_id, prefetched):
            detail = "Other people have posted in this thread. Only a moderator may delete it."
            raise Conflict(detail, kind="urn:problem:not-alone")
