"""Threads of the threads service, kept here as events tell of them, by version."""

from collections.abc import Mapping
from dataclasses import dataclass

from chassis.messaging.events import Event, EventHandler, parse_data
from forum.database import Database
from forum.threads import events
from forum.threads.persistence import mark_deleted, upsert
from forum.threads.port import Thread
from forum.users.actors import Actors


@dataclass(frozen=True)
class ThreadReplica:
    """Keeps threads; what it is told may come in any order and any number of times.

    A person's row is written before a thread's, here as everywhere, so that nobody waits for one
    who waits for them.
    """

    database: Database
    actors: Actors

    def handlers(self) -> Mapping[str, EventHandler]:
        """Give what applies each type of event."""
        return {
            events.CREATED: self._put,
            events.UPDATED: self._put,
            events.DELETED: self._bury,
        }

    def store_thread(self, thread: Thread) -> None:
        """Keep what the service has just told of a thread."""
        with self.database.writing() as session:
            author = thread.author
            self.actors.ensure_user(session, author.id, thread.created_at, author.display_name)
            upsert(
                session,
                thread.id,
                thread.version,
                title=thread.title,
                author_id=author.id,
                created_at=thread.created_at,
                locked=thread.locked,
            )

    def _put(self, event: Event) -> None:
        thread = parse_data(events.ThreadData, event)
        with self.database.writing() as session:
            self.actors.ensure_user(session, thread.author_id, thread.created_at)
            upsert(session, event.subject, event.version, **thread.model_dump())

    def _bury(self, event: Event) -> None:
        thread = parse_data(events.DeletedThreadData, event)
        with self.database.writing() as session:
            self.actors.ensure_user(session, thread.author_id, thread.created_at)
            mark_deleted(session, event.subject, event.version, thread.author_id, thread.created_at)
