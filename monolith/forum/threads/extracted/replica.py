"""The replica of threads, fed by events of the threads service."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chassis import codec
from chassis.clock import Clock
from chassis.messaging.events import Event, EventHandler, parse_data
from forum.database import Database
from forum.threads import events
from forum.threads.persistence import mark_deleted, upsert
from forum.threads.state import DeletedThreadState, Thread, ThreadContent, ThreadState
from forum.users.actors import Actors


@dataclass(frozen=True)
class ThreadReplica:
    """Replica fed by events, in any order and any number of times.

    A user's row is always written before a thread's, so that transactions don't deadlock.
    """

    database: Database
    actors: Callable[[], Actors]
    clock: Clock

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each event type."""
        return {
            events.CREATED: self._store,
            events.UPDATED: self._store,
            events.DELETED: self._mark_deleted,
        }

    def store_thread(self, thread: Thread) -> None:
        """Store a thread that the service has just returned."""
        with self.database.writing() as session:
            author = thread.author
            self.actors().ensure_user(session, author.id, thread.created_at, author.display_name)
            content = codec.attributes(thread, ThreadContent)
            state = ThreadState(author_id=author.id, **content)
            upsert(session, thread.id, thread.version, state, self.clock())

    def _store(self, event: Event) -> None:
        state = parse_data(ThreadState, event)
        with self.database.writing() as session:
            self.actors().ensure_user(session, state.author_id, state.created_at)
            upsert(session, event.subject, event.version, state, self.clock())

    def _mark_deleted(self, event: Event) -> None:
        state = parse_data(DeletedThreadState, event)
        with self.database.writing() as session:
            self.actors().ensure_user(session, state.author_id, state.created_at)
            mark_deleted(session, event.subject, event.version, state, self.clock())
